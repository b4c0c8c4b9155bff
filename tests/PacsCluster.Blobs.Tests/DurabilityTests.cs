using PacsCluster.Testing;

namespace PacsCluster.Blobs.Tests;

/// <summary>The order of system calls that makes a blob durable, as the kernel saw it.</summary>
public sealed class DurabilityTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_commit_renames_then_flushes_the_file_then_its_folder()
    {
        if (!OperatingSystem.IsLinux()) throw Missing.Because("strace is Linux");
        using var folder = new TempFolder();
        string strace = Tool.Find("strace") ?? throw Missing.Because("strace is not installed");
        await using var store = new FileBlobStore(new FileBlobStoreOptions { Folder = folder.At("blobs"), CommitThreads = 1 }, TimeProvider.System);
        await PutAsync(store); // the commit thread exists and the folder is made

        string log = folder.At("strace.log");
        using var tracer = Tool.Start(strace, ["-f", "-y", "-e", "trace=rename,renameat,renameat2,fsync,fdatasync,openat,open", "-o", log, "-p", $"{Environment.ProcessId}"]);
        try
        {
            // It says "attached" on its standard error.
            if (await tracer.StandardError.ReadLineAsync(Ct) is not { } said || !said.Contains("attached", StringComparison.Ordinal))
            {
                throw Missing.Because("strace may not attach here");
            }
            string key = await PutAsync(store);
            tracer.Kill();
            await tracer.WaitForExitAsync(Ct);
            string[] calls = await File.ReadAllLinesAsync(log, Ct);
            string path = folder.At("blobs", key[..2], key[2..4], key);
            int renamed = Array.FindIndex(calls, c => c.Contains("rename", StringComparison.Ordinal) && c.Contains(path, StringComparison.Ordinal));
            int flushed = Array.FindIndex(calls, c => c.Contains("fsync(", StringComparison.Ordinal) && c.Contains(path + ">", StringComparison.Ordinal));
            int folderFlushed = Array.FindIndex(calls, c => c.Contains("fsync(", StringComparison.Ordinal) && c.Contains(Path.GetDirectoryName(path) + ">", StringComparison.Ordinal));
            Assert.True(renamed >= 0 && flushed > renamed && folderFlushed > flushed, string.Join('\n', calls));
        }
        finally
        {
            if (!tracer.HasExited) tracer.Kill();
        }
    }

    [Fact]
    public async Task A_whole_blobs_commit_flushes_the_pack_when_all_of_it_is_written()
    {
        if (!OperatingSystem.IsLinux()) throw Missing.Because("strace is Linux");
        using var folder = new TempFolder();
        string strace = Tool.Find("strace") ?? throw Missing.Because("strace is not installed");
        await using var store = new FileBlobStore(new FileBlobStoreOptions { Folder = folder.At("blobs"), CommitThreads = 1, PacksAtOnce = 1 }, TimeProvider.System);
        await PutWholeAsync(store);
        string log = folder.At("strace.log");
        using var tracer = Tool.Start(strace, ["-f", "-y", "-e", "trace=pwrite64,io_submit,io_getevents,fsync,fdatasync", "-o", log, "-p", $"{Environment.ProcessId}"]);
        try
        {
            if (await tracer.StandardError.ReadLineAsync(Ct) is not { } said || !said.Contains("attached", StringComparison.Ordinal))
            {
                throw Missing.Because("strace may not attach here");
            }
            string key = await PutWholeAsync(store);
            tracer.Kill();
            await tracer.WaitForExitAsync(Ct);
            string[] calls = await File.ReadAllLinesAsync(log, Ct);
            string path = folder.At("blobs", "packs", key[1..3], key[..24]) + ">";
            // Past the page cache where the folder's file system can, else as usual.
            int body = Array.FindIndex(calls, c => c.Contains(path, StringComparison.Ordinal) && (c.Contains("aio_nbytes=200704", StringComparison.Ordinal) || c.Contains(", 200704, ", StringComparison.Ordinal)));
            int flushed = Array.FindIndex(calls, c => c.Contains("fdatasync(", StringComparison.Ordinal) && c.Contains(path, StringComparison.Ordinal));
            Assert.True(body >= 0 && flushed > body, string.Join('\n', calls));
            string[] submitted = [.. calls[..flushed].Where(c => c.Contains("io_submit(", StringComparison.Ordinal) && c.Contains(path, StringComparison.Ordinal)).Select(c => c[c.IndexOf('(', StringComparison.Ordinal)..c.IndexOf(',', StringComparison.Ordinal)])];
            // Waited for by the thread that flushes then.
            string thread = calls[flushed].Split(' ')[0];
            Assert.Equal(submitted.Length, calls[..flushed].Count(c => submitted.Any(s => c.StartsWith(thread + " ", StringComparison.Ordinal) && c.Contains("io_getevents" + s, StringComparison.Ordinal))));
        }
        finally
        {
            if (!tracer.HasExited) tracer.Kill();
        }
    }

    private static async Task<string> PutWholeAsync(FileBlobStore store)
    {
        await using BlobWriter writer = await ((IBlobStore)store).CreateWholeAsync(new byte[200_000], Ct);
        await writer.CommitAsync(Ct);
        return writer.Key;
    }

    [Fact]
    public async Task New_folders_are_flushed_into_their_parents()
    {
        if (!OperatingSystem.IsLinux()) throw Missing.Because("strace is Linux");
        using var folder = new TempFolder();
        string strace = Tool.Find("strace") ?? throw Missing.Because("strace is not installed");
        string log = folder.At("strace.log");
        using var tracer = Tool.Start(strace, ["-f", "-y", "-e", "trace=fsync,mkdir", "-o", log, "-p", $"{Environment.ProcessId}"]);
        try
        {
            if (await tracer.StandardError.ReadLineAsync(Ct) is not { } said || !said.Contains("attached", StringComparison.Ordinal))
            {
                throw Missing.Because("strace may not attach here");
            }
            await using var store = new FileBlobStore(new FileBlobStoreOptions { Folder = folder.At("blobs") }, TimeProvider.System);
            string key = await PutAsync(store);
            tracer.Kill();
            await tracer.WaitForExitAsync(Ct);
            string[] calls = await File.ReadAllLinesAsync(log, Ct);
            foreach (string parent in (string[])[folder.Path, folder.At("blobs"), folder.At("blobs", key[..2])])
            {
                Assert.Contains(calls, c => c.Contains("fsync(", StringComparison.Ordinal) && c.Contains($"<{parent}>", StringComparison.Ordinal));
            }
        }
        finally
        {
            if (!tracer.HasExited) tracer.Kill();
        }
    }

    private static async Task<string> PutAsync(FileBlobStore store)
    {
        await using BlobWriter writer = await store.CreateAsync(Ct);
        await writer.WriteAsync(new byte[200_000], Ct);
        await writer.CommitAsync(Ct);
        return writer.Key;
    }
}
