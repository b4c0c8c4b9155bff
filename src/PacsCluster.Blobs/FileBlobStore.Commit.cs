using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

public sealed partial class FileBlobStore
{
    /// <summary>Flushing blocks for a millisecond or more. A thread of its own, an association's for example, may wait for it; one of the pool (two
    /// threads on two cores, a new one each half second) must not, so its writers go to commit threads.</summary>
    private Task CommitAsync(LocalWriter writer)
    {
        if (!Thread.CurrentThread.IsThreadPoolThread)
        {
            Commit(writer);
            return writer.Committed.Task;
        }
        lock (_commits)
        {
            ObjectDisposedException.ThrowIf(_commitsEnding, this);
            _commits.Enqueue(writer);
            if (_idleCommitters >= _commits.Count) Monitor.Pulse(_commits);
            else if (_committers < _options.CommitThreads)
            {
                new Thread(RunCommitter, maxStackSize: 256 * 1024) { IsBackground = true, Name = $"blob commit {_committers++}" }.Start();
            }
        }
        return writer.Committed.Task;
    }

    /// <summary>Waits on a monitor, because that sleeps at once: a blocking wait on a task or channel spins first, and that is the sender's time.</summary>
    private void RunCommitter()
    {
        while (NextCommit() is { } writer) Commit(writer);
    }

    private void Commit(LocalWriter writer)
    {
        try
        {
            writer.CommitNow();
            writer.Committed.SetResult();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            writer.Committed.SetException(Fault("a blob cannot be committed", e));
        }
    }

    private LocalWriter? NextCommit()
    {
        lock (_commits)
        {
            while (_commits.Count == 0)
            {
                if (_commitsEnding) return null;
                _idleCommitters++;
                Monitor.Wait(_commits);
                _idleCommitters--;
            }
            return _commits.Dequeue();
        }
    }

    /// <summary>A blob on its way into a file of this store.</summary>
    private abstract class LocalWriter(FileBlobStore store, string key) : BlobWriter(key)
    {
        protected enum State
        {
            Writing,
            Failed,
            Committing,
            Committed,
            Closed,
        }

        public TaskCompletionSource Committed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected FileBlobStore Store => store;

        protected State Stage { get; set; }

        /// <summary>All bytes that were announced have come.</summary>
        protected virtual bool IsWhole => true;

        /// <summary>Waits for the disk; what fails is taken away again.</summary>
        public abstract void CommitNow();

        public sealed override async ValueTask CommitAsync(CancellationToken ct = default)
        {
            ct.ThrowIfCancellationRequested();
            if (Stage != State.Writing) throw new InvalidOperationException("the blob cannot be committed any more");
            if (!IsWhole) throw new InvalidOperationException("the blob is shorter than was said");
            Task committed = store.CommitAsync(this);
            Stage = State.Committing;
            await committed;
            Stage = State.Committed;
        }

        /// <summary>The end of a commit that was abandoned or failed: a commit thread may have it in hand.</summary>
        protected Task SettledAsync() => Committed.Task.ContinueWith(_ => { }, TaskScheduler.Default);

        /// <summary>What cannot be taken away now is garbage by its name, its age or what it lacks, and swept as such.</summary>
        protected static void Discard(Action take)
        {
            try
            {
                take();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
            }
        }
    }

    /// <summary>A temporary file until committed.</summary>
    private sealed class FileBlobWriter : LocalWriter
    {
        /// <summary>Room that is asked of the file system ahead of its use: a write that makes a file longer is not done in the background.</summary>
        private const long AllocatedAtOnce = 32 * 1024 * 1024;

        /// <summary>Where files are written through the page cache: bytes after which the disk is told to begin, so that the flush at the end of a 50 MB object does not find it all
        /// still to do.</summary>
        private const long WriteOutBytes = 8 * 1024 * 1024;

        private readonly string _temporaryPath;
        private readonly string _path;
        private readonly SafeFileHandle _file;
        private readonly bool _isDirect;
        private DoubleBuffer? _buffer;
        private long _allocated;
        private long _written;
        private long _writtenOut;
        private bool _isEnded;

        public FileBlobWriter(FileBlobStore store, string key, string temporaryPath, string path) : base(store, key)
        {
            _temporaryPath = temporaryPath;
            _path = path;
            // FileShare.None locks it: that is how a sweep knows that it is being written.
            _file = File.OpenHandle(temporaryPath, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            _isDirect = DirectIO.TryEnable(_file);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
        {
            ct.ThrowIfCancellationRequested();
            Take(bytes.Span, isLast: false);
            Length += bytes.Length;
            return ValueTask.CompletedTask;
        }

        public override void BeginCommit()
        {
            Take(default, isLast: true);
            StartWriteOut();
        }

        /// <summary>Waits for the disk: rename first, then flush. Nobody knows the key yet, so the name may appear early; and the file's flush then
        /// writes the journal once, with data, size and name, where flushing before renaming writes it twice.</summary>
        public override void CommitNow()
        {
            try
            {
                WriteFilled();
                _buffer?.Wait();
                // Behind its end lie what fills the last block up, and room that was asked for.
                if (_isDirect) RandomAccess.SetLength(_file, Length);
                File.Move(_temporaryPath, _path);
                RandomAccess.FlushToDisk(_file);
                Durable.FlushFolder(Path.GetDirectoryName(_path)!);
                _file.Dispose();
            }
            catch
            {
                // After a failed flush the kernel forgets which pages are dirty: a second try would lie. The blob is given up.
                Discard(() => File.Delete(_path));
                throw;
            }
        }

        public override async ValueTask DisposeAsync()
        {
            if (Stage == State.Committing)
            {
                await SettledAsync();
                Discard(() => File.Delete(_path));
            }
            if (_buffer is { } buffer)
            {
                Discard(buffer.Wait);
                Store._doubles.Return(buffer);
                _buffer = null;
            }
            if (Stage == State.Committed) return;
            Discard(() => File.Delete(_temporaryPath));
            _file.Dispose();
            Stage = State.Closed;
        }

        private void Take(ReadOnlySpan<byte> bytes, bool isLast)
        {
            if (Stage != State.Writing || _isEnded) throw new InvalidOperationException("the blob cannot be written any more");
            _isEnded = isLast;
            try
            {
                while (!bytes.IsEmpty)
                {
                    _buffer ??= Store._doubles.Rent();
                    bytes = _buffer.Fill(bytes);
                    if (_buffer.IsFull) WriteFilled();
                }
                if (isLast) WriteFilled();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Stage = State.Failed;
                throw Store.Fault("a blob cannot be written", e);
            }
        }

        private void WriteFilled()
        {
            if (_buffer is not { Filled.Length: > 0 } buffer) return;
            int length = buffer.Filled.Length;
            long end = _written + DoubleBuffer.HalfBytes;
            if (_isDirect && end > _allocated) _allocated = Durable.Allocate(_file, _allocated, end, AllocatedAtOnce, Store._temporaryFolder);
            buffer.Write(_file, _isDirect, _written);
            _written += length;
            if (_written - _writtenOut >= WriteOutBytes) StartWriteOut();
        }

        private void StartWriteOut()
        {
            if (_isDirect) return;
            Durable.StartWriteOut(_file, _writtenOut, _written - _writtenOut);
            _writtenOut = _written;
        }
    }
}
