using System.Net.Sockets;
using System.Text;
using PacsCluster.Blobs;

namespace PacsCluster.Web.Tests;

public sealed class SlowClientTests
{
    [Fact]
    public async Task C_93_a_client_that_reads_no_more_stops_the_reads_and_one_that_goes_away_closes_them()
    {
        WatchedBlobs? blobs = null;
        await using WebServer server = await WebServer.StartAsync(wrapBlobs: inner => blobs = new WatchedBlobs(inner));
        string study = Made.NewUid(), series = Made.NewUid();
        for (int number = 1; number <= 60; number++) await server.StoreAsync(Made.File(Made.Image(study, series, number, rows: 512, columns: 512)));
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 64 * 1024 };
        try
        {
            await client.ConnectAsync("127.0.0.1", server.Host.Port, TestContext.Current.CancellationToken);
            await client.SendAsync(Encoding.ASCII.GetBytes($"GET /dicom-web/studies/{study} HTTP/1.1\r\nHost: x\r\n\r\n"), TestContext.Current.CancellationToken);
            // Until no read begins for a second: what is read by then is all that a client that does not read can make the server hold.
            long before;
            do
            {
                before = blobs!.BytesRead;
                await Task.Delay(1000, TestContext.Current.CancellationToken);
            }
            while (before == 0 || blobs.BytesRead != before);
            Assert.InRange(blobs.BytesRead, 1, 16_000_000);
            Assert.Equal(1, blobs.Open);
            blobs.TellWhenAllAreClosed();
        }
        finally
        {
            client.Dispose();
        }
        await blobs!.AllClosed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.InRange(blobs.BytesRead, 1, 16_000_000);
    }

    /// <summary>Counts what is read and open.</summary>
    private sealed class WatchedBlobs(IBlobStore inner) : IBlobStore
    {
        private readonly TaskCompletionSource _allClosed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _bytes;
        private int _open;
        private volatile bool _tell;

        public long BytesRead => Interlocked.Read(ref _bytes);

        public int Open => Volatile.Read(ref _open);

        public void TellWhenAllAreClosed() => _tell = true;

        public Task AllClosed => _allClosed.Task;

        public string Name => inner.Name;

        public ValueTask<BlobWriter> CreateAsync(CancellationToken ct = default) => inner.CreateAsync(ct);

        public async ValueTask<Stream> OpenReadAsync(string key, long offset = 0, long length = -1, CancellationToken ct = default)
        {
            Stream stream = await inner.OpenReadAsync(key, offset, length, ct);
            Interlocked.Increment(ref _open);
            return new Watched(this, stream);
        }

        public ValueTask DeleteAsync(string key, CancellationToken ct = default) => inner.DeleteAsync(key, ct);

        public ValueTask<BlobStat?> StatAsync(string key, CancellationToken ct = default) => inner.StatAsync(key, ct);

        public IAsyncEnumerable<BlobStat> ListAsync(string? afterKey = null, CancellationToken ct = default) => inner.ListAsync(afterKey, ct);

        public ValueTask DisposeAsync() => inner.DisposeAsync();

        private sealed class Watched(WatchedBlobs owner, Stream inner) : Stream
        {

            public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            {
                int read = await inner.ReadAsync(buffer, cancellationToken);
                Interlocked.Add(ref owner._bytes, read);
                return read;
            }

            protected override void Dispose(bool disposing)
            {
                inner.Dispose();
                if (Interlocked.Decrement(ref owner._open) == 0 && owner._tell) owner._allClosed.TrySetResult();
                base.Dispose(disposing);
            }

            public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
            public override bool CanRead => true;
            public override bool CanSeek => false;
            public override bool CanWrite => false;
            public override long Length => inner.Length;
            public override long Position { get => inner.Position; set => throw new NotSupportedException(); }
            public override void Flush() { }
            public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
            public override void SetLength(long value) => throw new NotSupportedException();
            public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        }
    }
}
