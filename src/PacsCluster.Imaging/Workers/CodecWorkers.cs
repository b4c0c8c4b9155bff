using System.ComponentModel;
using System.Diagnostics;

namespace PacsCluster.Imaging.Workers;

/// <summary>The workers of a node: started when they are needed, ended when they were idle for a minute, replaced when they die. Thread-safe.</summary>
internal sealed class CodecWorkers : IDisposable
{
    private static readonly TimeSpan s_idle = TimeSpan.FromMinutes(1);

    private readonly CodecOptions _options;
    private readonly Lock _gate = new();
    // The one used last is taken first, so that those not needed grow old.
    private readonly List<CodecWorker> _idle = [];
    private readonly Timer _sweep;
    private bool _isDisposed;

    public CodecWorkers(CodecOptions options)
    {
        _options = options;
        _sweep = new Timer(_ => EndIdle(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Decodes in a worker. Blocks its thread; the caller limits how many do.</summary>
    /// <exception cref="ImagingException">Corrupt also when the worker died over it.</exception>
    /// <exception cref="OperationCanceledException">The limit was reached; the worker has been ended.</exception>
    public void Decode(in WorkerRequest request, ReadOnlySpan<byte> codestream, Span<byte> samples, CancellationToken limit)
    {
        CodecWorker worker = Take();
        try
        {
            worker.Decode(request, codestream, samples, limit);
        }
        catch (ImagingException)
        {
            Return(worker);
            throw;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            worker.Dispose();
            limit.ThrowIfCancellationRequested();
            throw new ImagingException(ImagingError.Corrupt, "the codec broke down over this frame; its process was replaced", e);
        }
        if (limit.IsCancellationRequested) worker.Dispose();
        else Return(worker);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate) _isDisposed = true;
        _sweep.Dispose();
        End(static _ => true);
    }

    private CodecWorker Take()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_idle.Count > 0)
            {
                CodecWorker worker = _idle[^1];
                _idle.RemoveAt(_idle.Count - 1);
                return worker;
            }
        }
        try
        {
            return CodecWorker.Start(_options);
        }
        catch (Win32Exception e)
        {
            throw new ImagingException(ImagingError.LibraryMissing, "the codec worker cannot be started: " + e.Message, e);
        }
    }

    private void Return(CodecWorker worker)
    {
        worker.IdleSince = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            if (!_isDisposed)
            {
                _idle.Add(worker);
                _sweep.Change(s_idle, Timeout.InfiniteTimeSpan);
                return;
            }
        }
        worker.Dispose();
    }

    private void EndIdle()
    {
        End(static worker => Stopwatch.GetElapsedTime(worker.IdleSince) >= s_idle - TimeSpan.FromSeconds(1));
    }

    private void End(Predicate<CodecWorker> which)
    {
        List<CodecWorker> ended;
        lock (_gate)
        {
            ended = _idle.FindAll(which);
            _idle.RemoveAll(which);
        }
        foreach (CodecWorker worker in ended) worker.Dispose();
    }
}
