using Microsoft.Win32.SafeHandles;
using PacsCluster.Testing;

namespace PacsCluster.Blobs.Tests;

/// <summary>Writing past the page cache, where it goes wrong.</summary>
public sealed class PackBufferTests
{
    private static readonly byte[] s_header = [.. Enumerable.Range(1, Pack.HeaderBytes).Select(i => (byte)i)];

    [Fact]
    public void A_write_that_is_refused_in_the_background_is_told_once_and_the_memory_serves_again()
    {
        using var folder = new TempFolder();
        using SafeFileHandle file = File.OpenHandle(folder.At("file"), FileMode.CreateNew, FileAccess.ReadWrite);
        if (!DirectIO.TryEnable(file)) throw Missing.Because("this file system has no writes past the page cache");
        using var buffer = new PackBuffer(600_000);
        byte[] bytes = new byte[500_000];
        Random.Shared.NextBytes(bytes);
        buffer.Start(s_header);
        buffer.Append(bytes);
        // No place for whole blocks: the kernel takes the request and refuses it later, as it does where a disk fails.
        buffer.Begin(file, true, offset: 1, left: 0);
        Assert.Throws<IOException>(buffer.Wait);
        buffer.Wait();

        buffer.Start(s_header);
        for (int at = 0; at < bytes.Length; at += 70_000)
        {
            buffer.Append(bytes.AsSpan(at, Math.Min(70_000, bytes.Length - at)));
            buffer.Begin(file, true, offset: 8192, left: Math.Max(0, bytes.Length - at - 70_000));
        }
        buffer.Wait();
        byte[] written = File.ReadAllBytes(folder.At("file"));
        Assert.Equal(s_header, written[8192..][..Pack.HeaderBytes]);
        Assert.Equal(bytes, written[(8192 + Pack.HeaderBytes)..][..bytes.Length]);
    }

    [Fact]
    public void Without_it_the_same_blocks_are_written_as_usual()
    {
        using var folder = new TempFolder();
        using SafeFileHandle file = File.OpenHandle(folder.At("file"), FileMode.CreateNew, FileAccess.ReadWrite);
        using var buffer = new PackBuffer(200_000);
        byte[] bytes = new byte[200_000];
        Random.Shared.NextBytes(bytes);
        buffer.Start(s_header);
        buffer.Append(bytes.AsSpan(0, 150_000));
        buffer.Begin(file, false, 4096, left: 50_000);
        // Too little is left for a write of its own: it waits for that.
        Assert.Equal(0, RandomAccess.GetLength(file));
        buffer.Begin(file, false, 4096, left: 100_000);
        Assert.Equal(4096 + (150_064 / Pack.BlockBytes * Pack.BlockBytes), RandomAccess.GetLength(file));
        buffer.Append(bytes.AsSpan(150_000));
        buffer.Begin(file, false, 4096, left: 0);
        byte[] other = [.. s_header.Reverse()];
        buffer.Rewrite(file, false, 4096, other);
        byte[] written = File.ReadAllBytes(folder.At("file"));
        Assert.Equal(other, written[4096..][..Pack.HeaderBytes]);
        Assert.Equal(bytes, written[(4096 + Pack.HeaderBytes)..][..bytes.Length]);
        Assert.Equal(0, written.Length % Pack.BlockBytes);
        Assert.Equal(-1, written.AsSpan(4096 + Pack.HeaderBytes + bytes.Length).IndexOfAnyExcept((byte)0));
    }
}
