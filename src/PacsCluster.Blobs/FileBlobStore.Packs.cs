using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

public sealed partial class FileBlobStore
{
    /// <summary>A pack is written for so long after it was begun, and one without blobs is deleted when nothing was written into it for the longer time: on NFS nobody sees a
    /// writer's lock.</summary>
    private static readonly TimeSpan s_packLife = TimeSpan.FromHours(12), s_unwrittenPackMinAge = TimeSpan.FromHours(24);

    /// <summary>A header older than this is written anew by the commit: sweeps (<see cref="IBlobStore"/>: an hour and more) go by its time.</summary>
    private static readonly TimeSpan s_headerMaxAge = TimeSpan.FromMinutes(10);

    /// <summary>What is asked of the disk in one piece when it is opened to be read.</summary>
    private const int ReadAheadMinBytes = 64 * 1024;

    private readonly Lock _packLock = new();
    private readonly Pack?[] _packs;

    /// <inheritdoc/>
    public ValueTask<BlobWriter> CreateWholeAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        ct.ThrowIfCancellationRequested();
        if (bytes.Length > _options.PackedMaxBytes) return IBlobStore.CreateAndWriteAsync(this, bytes, ct);
        PackedWriter writer = Reserve(bytes.Length, null);
        writer.Write(bytes.Span);
        return ValueTask.FromResult<BlobWriter>(writer);
    }

    /// <inheritdoc/>
    public BlobBuffer? TryRentBuffer(int length) => length <= _options.PackedMaxBytes ? new BlobBuffer(_buffers, _buffers.Rent()) : null;

    /// <inheritdoc/>
    public BlobWriter? TryCreateSized(long length, BlobBuffer? from = null) => length <= _options.PackedMaxBytes ? Reserve((int)length, from) : null;

    /// <inheritdoc/>
    public ValueTask FlushAsync(string key)
    {
        if (!Pack.TryParse(key, out string id, out _)) return ValueTask.CompletedTask;
        try
        {
            using SafeFileHandle file = FileRangeStream.Open(Pack.PathOf(_options.Folder, id));
            Durable.FlushData(file);
            return ValueTask.CompletedTask;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BlobNotFoundException(Name, key, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault("a blob cannot be made durable", e);
        }
    }

    private PackedWriter Reserve(int length, BlobBuffer? from)
    {
        try
        {
            (Pack pack, string key, long offset) = ReserveRoom(length);
            return new PackedWriter(this, pack, key, offset, length, from?.Take() ?? _buffers.Rent());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault("a blob cannot be written", e);
        }
    }

    private (Pack Pack, string Key, long Offset) ReserveRoom(int length)
    {
        lock (_packLock)
        {
            ref Pack? pack = ref _packs[Thread.GetCurrentProcessorId() % _packs.Length];
            if (pack is not null)
            {
                if (_time.GetElapsedTime(pack.Began) < s_packLife && pack.TryReserve(length, _options.PackMaxBytes, out string key, out long offset)) return (pack, key, offset);
                pack.Release();
                pack = null;
            }
            pack = Pack.Create(_options.Folder, _time.GetTimestamp());
            return pack.TryReserve(length, _options.PackMaxBytes, out string first, out long start)
                ? (pack, first, start)
                : throw new IOException("a new pack takes no blob");
        }
    }

    private PackRangeStream OpenPacked(string key, string id, long at, long offset, long length)
    {
        SafeFileHandle file = FileRangeStream.Open(Pack.PathOf(_options.Folder, id));
        try
        {
            BlobStat blob = Pack.Stat(file, id, at) ?? throw new BlobNotFoundException(Name, key);
            var stream = new PackRangeStream(file, Name, blob, at, offset, length);
            // It may never have been in memory: packs are written past the page cache.
            if (stream.Length >= ReadAheadMinBytes) Durable.StartReading(file, at + Pack.HeaderBytes + offset, stream.Length);
            return stream;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private BlobStat? StatPacked(string id, long at)
    {
        try
        {
            using SafeFileHandle file = FileRangeStream.Open(Pack.PathOf(_options.Folder, id));
            return Pack.Stat(file, id, at);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private async IAsyncEnumerable<BlobStat> ListPackedAsync(string? afterKey, [EnumeratorCancellation] CancellationToken ct)
    {
        string? after = afterKey is not null && Pack.TryParse(afterKey, out string id, out _) ? id : null;
        foreach (string outer in SubFolders(Path.Combine(_options.Folder, "packs")))
        {
            foreach (string name in Names(Path.Combine(_options.Folder, "packs", outer), folders: false).Where(Pack.IsId))
            {
                if (after is not null && string.CompareOrdinal(name, after) < 0) continue;
                await Task.Yield();
                long end = 0;
                foreach (BlobStat blob in Blobs(name))
                {
                    ct.ThrowIfCancellationRequested();
                    end = Pack.EndOf(blob);
                    if (string.CompareOrdinal(blob.Key, afterKey) > 0) yield return blob;
                }
                GiveBack(name, end);
            }
        }
    }

    private IEnumerable<BlobStat> Blobs(string id)
    {
        SafeFileHandle file;
        try
        {
            file = FileRangeStream.Open(Pack.PathOf(_options.Folder, id));
        }
        catch (FileNotFoundException)
        {
            yield break;
        }
        using (file)
        {
            foreach (BlobStat blob in Pack.Walk(file, id, 0)) yield return blob;
        }
    }

    /// <summary>Gives back what a pack has behind its last blob, which a crash left; all of it where there is none.</summary>
    private void GiveBack(string id, long end)
    {
        string path = Pack.PathOf(_options.Folder, id);
        try
        {
            var file = new FileInfo(path);
            if ((end == 0 || file.Length > end) && _time.GetUtcNow() - file.LastWriteTimeUtc >= s_unwrittenPackMinAge) Pack.GiveBack(path, id, end);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // In use, or gone meanwhile: not ours to sweep.
        }
    }

    /// <summary>A blob in a pack.</summary>
    private sealed class PackedWriter : LocalWriter
    {
        private readonly Pack _pack;
        private readonly long _offset;
        private readonly int _length;
        private readonly PackBuffer _buffer;
        private readonly long _began;

        /// <summary>What the pack is to be flushed for; 0 as long as not all is written.</summary>
        private long _written;

        private IOException? _fault;

        public PackedWriter(FileBlobStore store, Pack pack, string key, long offset, int length, PackBuffer buffer) : base(store, key)
        {
            (_pack, _offset, _length, _buffer, _began) = (pack, offset, length, buffer, store._time.GetTimestamp());
            Span<byte> header = stackalloc byte[Pack.HeaderBytes];
            Pack.WriteHeader(header, key, length, store._time.GetUtcNow());
            buffer.Start(header);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
        {
            ct.ThrowIfCancellationRequested();
            Write(bytes.Span);
            return ValueTask.CompletedTask;
        }

        public void Write(ReadOnlySpan<byte> bytes)
        {
            if (Stage != State.Writing || bytes.Length > _length - Length) throw new InvalidOperationException("the blob takes no more");
            _buffer.Append(bytes);
            Length += bytes.Length;
            try
            {
                _pack.Begin(_offset, _length - Length, _buffer);
            }
            catch (IOException e)
            {
                GiveUp();
                throw Store.Fault("a blob cannot be written", e);
            }
        }

        protected override bool IsWhole => Length == _length;

        public override bool IsFlushLeft => Stage == State.Writing && IsWhole;

        public override void EndWrites()
        {
            if (!IsFlushLeft || _written > 0 || Thread.CurrentThread.IsThreadPoolThread) return;
            try
            {
                End();
            }
            catch (IOException e)
            {
                _fault = e;
            }
        }

        public override void BeginFlush()
        {
            EndWrites();
            if (_written > 0) _pack.BeginFlush(_written);
        }

        public override void CommitNow()
        {
            try
            {
                if (_fault is { } fault) throw new IOException(fault.Message, fault.HResult);
                if (_written == 0) End();
                _pack.Flush(_written);
            }
            catch
            {
                TakeAway();
                throw;
            }
        }

        public override async ValueTask DisposeAsync()
        {
            if (Stage == State.Closed) return;
            if (Stage == State.Committing) await SettledAsync();
            if (Stage != State.Committed) TakeAway();
            Close();
        }

        private void GiveUp()
        {
            TakeAway();
            Close();
        }

        private void End()
        {
            TimeSpan age = Store._time.GetElapsedTime(_began);
            // One more day, and where nobody sees locks the pack may be swept with it as one without blobs.
            if (age > s_packLife) throw new IOException("it has been coming in for half a day");
            Span<byte> header = stackalloc byte[age > s_headerMaxAge ? Pack.HeaderBytes : 0];
            if (header.Length > 0) Pack.WriteHeader(header, Key, _length, Store._time.GetUtcNow());
            _written = _pack.EndWrites(_offset, _buffer, header);
        }

        // Also of a commit that failed or was abandoned: nobody was told of it.
        private void TakeAway()
        {
            Discard(_buffer.Wait);
            Discard(() => _pack.Discard(_offset, _length));
        }

        private void Close()
        {
            Stage = State.Closed;
            Store._buffers.Return(_buffer);
            _pack.Release();
        }
    }
}
