using System.IO.Pipelines;

namespace PacsCluster.Web;

/// <summary>Carries stored bytes into a response.</summary>
internal static class BodyCopy
{
    // Read straight into the response's own buffers, in pieces that make the calls per megabyte few: copied once from the page cache and once into the
    // socket. Through a buffer of our own, or in Kestrel's 4 KiB blocks, the same bytes cost twice the processor time.
    private const int PieceBytes = 256 * 1024;

    /// <summary>Copies a stream that has <paramref name="length"/> bytes. Waits where the client does not take what it gets: nothing more is read then.</summary>
    /// <param name="source">Read from where it stands.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="body">The response's body.</param>
    /// <param name="unflushed">Bytes put into the body and not flushed yet; small parts go out together.</param>
    /// <param name="cancellationToken">The client is gone.</param>
    /// <returns>Bytes not flushed yet.</returns>
    /// <exception cref="IOException">The stream ends early.</exception>
    public static async ValueTask<int> CopyAsync(Stream source, long length, PipeWriter body, int unflushed, CancellationToken cancellationToken)
    {
        for (long left = length; left > 0;)
        {
            Memory<byte> room = body.GetMemory((int)Math.Min(left, PieceBytes));
            int read = await source.ReadAsync(room[..(int)Math.Min(left, room.Length)], cancellationToken);
            if (read == 0) throw new EndOfStreamException("a blob is shorter than the catalog says: run verify");
            body.Advance(read);
            left -= read;
            unflushed += read;
            if (unflushed >= PieceBytes) unflushed = await FlushAsync(body, cancellationToken);
        }
        return unflushed;
    }

    /// <summary>Copies a stream of unknown length.</summary>
    /// <returns>Bytes not flushed yet.</returns>
    public static async ValueTask<int> CopyAsync(Stream source, PipeWriter body, int unflushed, CancellationToken cancellationToken)
    {
        while (true)
        {
            Memory<byte> room = body.GetMemory(PieceBytes);
            int read = await source.ReadAsync(room, cancellationToken);
            if (read == 0) return unflushed;
            body.Advance(read);
            unflushed += read;
            if (unflushed >= PieceBytes) unflushed = await FlushAsync(body, cancellationToken);
        }
    }

    private static async ValueTask<int> FlushAsync(PipeWriter body, CancellationToken cancellationToken)
    {
        FlushResult flushed = await body.FlushAsync(cancellationToken);
        // Nobody reads any more.
        if (flushed.IsCompleted || flushed.IsCanceled) throw new OperationCanceledException(cancellationToken);
        return 0;
    }
}
