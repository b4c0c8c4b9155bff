using System.Runtime.ExceptionServices;

namespace PacsCluster.Blobs;

/// <summary>A copy of a blob as a reader finds it.</summary>
/// <param name="Store">The store.</param>
/// <param name="Key">The blob's key in it.</param>
public readonly record struct BlobCopy(IBlobStore Store, string Key);

/// <summary>Reads a blob that has several copies: the first that can be read, and where it breaks off the next one goes on.</summary>
public static class CopiesReader
{
    /// <summary>Opens a range of a blob.</summary>
    /// <param name="copies">The copies, the one to be read first in front; at least one.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes; the blob is known to have them, so a copy that has less is damaged.</param>
    /// <param name="failed">Told of each copy that could not be read though another is left, with its fault. Runs on the reader's path.</param>
    /// <param name="ct">Cancels the opening only.</param>
    /// <exception cref="BlobNotFoundException">No store has a copy.</exception>
    /// <exception cref="BlobStoreUnavailableException">None can be read now.</exception>
    public static async ValueTask<Stream> OpenReadAsync(IReadOnlyList<BlobCopy> copies, long offset, long length, Action<BlobCopy, Exception> failed, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(copies);
        ArgumentNullException.ThrowIfNull(failed);
        var stream = new CopiesStream(copies, offset, length, failed);
        await stream.OpenAsync(ct);
        return stream;
    }

    private sealed class CopiesStream(IReadOnlyList<BlobCopy> copies, long offset, long length, Action<BlobCopy, Exception> failed) : BlobRangeStream
    {
        private int _at;
        private Stream? _stream;
        private Exception? _worst;

        public override long Length => length;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int wanted = Wanted(buffer.Length);
            if (wanted == 0) return 0;
            while (true)
            {
                if (_stream is null) await OpenAsync(cancellationToken);
                try
                {
                    int read = await _stream!.ReadAsync(buffer[..wanted], cancellationToken);
                    if (read == 0) throw Cut();
                    Given += read;
                    return read;
                }
                catch (Exception fault) when (fault is BlobNotFoundException or BlobStoreUnavailableException or IOException)
                {
                    await NextAsync(fault);
                }
            }
        }

        /// <summary>Opens the first copy from here on that can be, at the byte that is wanted next.</summary>
        public async Task OpenAsync(CancellationToken ct)
        {
            while (true)
            {
                try
                {
                    Stream stream = await copies[_at].Store.OpenReadAsync(copies[_at].Key, offset + Given, length - Given, ct);
                    _stream = stream;
                    if (stream.Length == length - Given) return;
                    throw Cut();
                }
                catch (Exception fault) when (fault is BlobNotFoundException or BlobStoreUnavailableException or IOException)
                {
                    await NextAsync(fault);
                }
            }
        }

        public override async ValueTask DisposeAsync()
        {
            if (_stream is not null) await _stream.DisposeAsync();
            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) _stream?.Dispose();
            base.Dispose(disposing);
        }

        /// <summary>Goes to the next copy, or throws when there is none.</summary>
        private async Task NextAsync(Exception fault)
        {
            if (_stream is not null) await _stream.DisposeAsync();
            _stream = null;
            // A copy that cannot be read now may be readable later, so it is what the caller hears of, not that another is missing.
            if (_worst is null or BlobNotFoundException) _worst = fault;
            if (_at + 1 >= copies.Count) ExceptionDispatchInfo.Throw(_worst);
            failed(copies[_at++], fault);
        }

        private BlobStoreUnavailableException Cut() => new(copies[_at].Store.Name, $"blob {copies[_at].Key} is shorter than it was");
    }
}
