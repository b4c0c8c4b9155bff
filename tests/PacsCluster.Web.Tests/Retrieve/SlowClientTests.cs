using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using PacsCluster.Blobs;
using PacsCluster.Dicom;

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
            Assert.InRange(await StandstillAsync(blobs!), 1, 16_000_000);
            Assert.Equal(1, blobs!.Open);
            blobs.TellWhenAllAreClosed();
        }
        finally
        {
            client.Dispose();
        }
        await blobs!.AllClosed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.InRange(blobs.BytesRead, 1, 16_000_000);
    }

    [Fact]
    public async Task C_93_C_81_frames_are_converted_as_the_client_takes_them()
    {
        WatchedBlobs? blobs = null;
        await using WebServer server = await WebServer.StartAsync(wrapBlobs: inner => blobs = new WatchedBlobs(inner));
        const int frames = 80;
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid(), rows: 512, columns: 512);
        image.Set(Tags.NumberOfFrames, frames);
        image.SetRaw(Tags.PixelData, VR.OW, RandomNumberGenerator.GetBytes(frames * 512 * 512 * 2));
        await server.StoreAsync(Made.File(image));
        string list = string.Join(',', Enumerable.Range(1, frames));
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 64 * 1024 };
        await client.ConnectAsync("127.0.0.1", server.Host.Port, TestContext.Current.CancellationToken);
        await client.SendAsync(Encoding.ASCII.GetBytes($"GET /dicom-web/{Made.UrlOf(image)}/frames/{list} HTTP/1.1\r\nHost: x\r\nAccept: multipart/related; type=\"image/dicom-rle\"\r\n\r\n"), TestContext.Current.CancellationToken);
        Assert.InRange(await StandstillAsync(blobs!), 1, 16_000_000);
    }

    [Fact]
    public async Task C_93_on_one_http2_connection_a_stream_that_is_not_read_holds_up_no_other_and_its_reads_end_when_it_is_cancelled()
    {
        WatchedBlobs? blobs = null;
        await using WebServer server = await WebServer.StartAsync(wrapBlobs: inner => blobs = new WatchedBlobs(inner), protocols: HttpProtocols.Http2);
        string study = Made.NewUid(), series = Made.NewUid();
        DataSet[] images = [.. Enumerable.Range(1, 40).Select(number => Made.Image(study, series, number, rows: 512, columns: 512))];
        byte[][] files = [.. images.Select(image => Made.File(image))];
        foreach (byte[] file in files) await server.StoreAsync(file);
        int connections = 0;
        using var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (context, ct) =>
            {
                Interlocked.Increment(ref connections);
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(context.DnsEndPoint, ct);
                return new NetworkStream(socket, ownsSocket: true);
            },
        }) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact, Timeout = TimeSpan.FromMinutes(2) };
        using HttpResponseMessage unread = await client.GetAsync($"{server.Root}/studies/{study}", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(HttpVersion.Version20, unread.Version);
        Assert.InRange(await StandstillAsync(blobs!), 1, 16_000_000);
        byte[][] got = await Task.WhenAll(images.Take(8).Select(async image =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{server.Root}/{Made.UrlOf(image)}") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Headers.TryAddWithoutValidation("Accept", "application/dicom");
            using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
            return await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        }));
        for (int i = 0; i < got.Length; i++) Assert.True(Made.DataSetOf(files[i]).SequenceEqual(Made.DataSetOf(got[i])), $"instance {i + 1} came back otherwise");
        Assert.True(blobs!.Open >= 1);
        blobs.TellWhenAllAreClosed();
        unread.Dispose();
        await blobs.AllClosed.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Equal("{", (await client.GetStringAsync($"{server.Root}/changefeed?limit=1", TestContext.Current.CancellationToken))[..1]);
        Assert.Equal(1, connections);
    }

    /// <summary>Until no read begins for a second: what is read by then is all that a client that does not read can make the server hold.</summary>
    private static async Task<long> StandstillAsync(WatchedBlobs blobs)
    {
        long before;
        do
        {
            before = blobs.BytesRead;
            await Task.Delay(1000, TestContext.Current.CancellationToken);
        }
        while (before == 0 || blobs.BytesRead != before);
        return before;
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
