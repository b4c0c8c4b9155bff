using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace PacsCluster.Blobs;

/// <summary>
/// A file of many small blobs. Each begins on a block of 4 KiB with a header of 64 bytes (word, key, length, time, CRC-32C), which goes out with the blob's first bytes: what
/// a crash left of one looks like one, and is an orphan. Offsets are never used twice. Deleting changes the header's word, then gives the blocks back to the file system.
/// One process writes a pack, under a lock on it; others read it, and delete from it.
/// </summary>
internal sealed class Pack
{
    /// <summary>Blobs begin on such.</summary>
    public const int BlockBytes = 4096;

    /// <summary>In front of a blob's bytes.</summary>
    public const int HeaderBytes = 64;

    private const int IdLength = 24;

    /// <summary>Asked of the file system ahead of its use. At once for a whole pack: ext4 has up to four pieces of a file in the file's own record, which a flush writes anyway.
    /// One piece is two, what is written and what is not, and four while two writes are under way; more would cost a block of their own, made and given back with
    /// each blob. The sweep gives back what a crash leaves of it.</summary>
    private const long AllocatedAtOnce = 120 * 1024 * 1024;

    // Two on one file: whole blocks are written by the second, past the page cache, and parts of them (to erase) by the first.
    private readonly SafeFileHandle _file;
    private readonly SafeFileHandle _blockFile;
    private readonly bool _isDirect;
    private readonly string _folder;
    private readonly object _gate = new();
    private long _blocks;
    private long _allocated;
    private int _users = 1;
    private long _written;
    private long _flushed;
    private bool _isFlushing;
    private IOException? _fault;

    /// <summary>Where the flush is told of that goes on in the background; made for the first one.</summary>
    private nint _flushes;

    /// <summary>What that flush will have covered; 0 when there is none, or somebody waits for it.</summary>
    private long _begunFlush;

    private Pack(string id, string folder, SafeFileHandle file, SafeFileHandle blockFile, long began)
    {
        (Id, _folder, _file, _blockFile, Began) = (id, folder, file, blockFile, began);
        _isDirect = DirectIO.TryEnable(blockFile);
    }

    /// <summary>First 24 characters of its blobs' keys: <c>p</c>, which no other key begins with, and 92 random bits.</summary>
    public string Id { get; }

    /// <summary>Timestamp of its making.</summary>
    public long Began { get; }

    private static ReadOnlySpan<byte> Live => "PACSBLB1"u8;

    private static ReadOnlySpan<byte> Gone => "PACSGONE"u8;

    /// <summary>A file's name under the store's folder.</summary>
    public static string PathOf(string folder, string id) => Path.Combine(folder, "packs", id[1..3], id);

    /// <summary>Pack and first byte of a key; false when it is no such key.</summary>
    public static bool TryParse(string key, out string id, out long offset)
    {
        id = "";
        offset = 0;
        if (key.Length != 32 || key[0] != 'p' || !BlobKey.AreDigits(key.AsSpan(1))) return false;
        id = key[..IdLength];
        offset = long.Parse(key.AsSpan(IdLength), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) * BlockBytes;
        return true;
    }

    /// <summary>Whether a file's name is a pack's.</summary>
    public static bool IsId(string name) => name.Length == IdLength && name[0] == 'p' && BlobKey.AreDigits(name.AsSpan(1));

    /// <summary>Begins a pack in a folder that durably has its name afterwards.</summary>
    /// <exception cref="IOException">The file system refuses.</exception>
    public static Pack Create(string folder, long now)
    {
        string id = "p" + RandomNumberGenerator.GetHexString(IdLength - 1, lowercase: true), path = PathOf(folder, id), inner = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(inner);
        // Shared is a lock too (flock): who wants to delete the file asks for it alone.
        SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        SafeFileHandle blockFile;
        try
        {
            blockFile = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        }
        catch
        {
            file.Dispose();
            throw;
        }
        var pack = new Pack(id, inner, file, blockFile, now);
        try
        {
            // Also the outer ones when they were there already: who made them may have died before flushing.
            Durable.FlushFolder(folder);
            Durable.FlushFolder(Path.GetDirectoryName(inner)!);
            Durable.FlushFolder(inner);
            return pack;
        }
        catch
        {
            pack.Release();
            throw;
        }
    }

    /// <summary>Takes room for a blob, and a use of the pack that ends with <see cref="Release"/>. False when it would grow beyond <paramref name="maxBytes"/>, or may not be
    /// written any more. For one caller at a time.</summary>
    /// <exception cref="IOException">The disk has no such room.</exception>
    public bool TryReserve(int length, long maxBytes, out string key, out long offset)
    {
        offset = _blocks * BlockBytes;
        key = "";
        long blocks = Blocks(length);
        if (Volatile.Read(ref _fault) is not null || (_blocks > 0 && offset + (blocks * BlockBytes) > maxBytes)) return false;
        long end = offset + (blocks * BlockBytes);
        if (end > _allocated) _allocated = Durable.Allocate(_file, _allocated, end, Math.Min(AllocatedAtOnce, maxBytes - _allocated), _folder);
        key = Id + _blocks.ToString("x8", CultureInfo.InvariantCulture);
        _blocks += blocks;
        Interlocked.Increment(ref _users);
        return true;
    }

    /// <summary>One use less; the last one gives back what was allocated ahead, and closes the file.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0) return;
        try
        {
            if (RandomAccess.GetLength(_file) > _blocks * BlockBytes) RandomAccess.SetLength(_file, _blocks * BlockBytes);
        }
        catch (IOException)
        {
            // It holds some room that nobody reads.
        }
        DirectIO.DestroyContext(_flushes);
        _blockFile.Dispose();
        _file.Dispose();
    }

    /// <summary>Begins to write what has come of a blob.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    public void Begin(long offset, long left, PackBuffer buffer) => buffer.Begin(_blockFile, _isDirect, offset, left);

    /// <summary>Waits until all of a blob is written.</summary>
    /// <param name="offset">Where it begins.</param>
    /// <param name="buffer">The blob, all of it.</param>
    /// <param name="header">Another header, when the one that was written is too old.</param>
    /// <returns>What <see cref="Flush"/> is to be asked for.</returns>
    /// <exception cref="IOException">The disk refuses.</exception>
    public long EndWrites(long offset, PackBuffer buffer, ReadOnlySpan<byte> header)
    {
        buffer.Begin(_blockFile, _isDirect, offset, left: 0);
        buffer.Wait();
        if (header.Length > 0) buffer.Rewrite(_blockFile, _isDirect, offset, header);
        lock (_gate) return ++_written;
    }

    /// <summary>What says that a blob begins here, <see cref="HeaderBytes"/>.</summary>
    public static void WriteHeader(Span<byte> header, string key, long length, DateTimeOffset now)
    {
        header.Clear();
        Live.CopyTo(header);
        Encoding.ASCII.GetBytes(key, header[8..]);
        BinaryPrimitives.WriteInt64LittleEndian(header[40..], length);
        BinaryPrimitives.WriteInt64LittleEndian(header[48..], now.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteUInt32LittleEndian(header[56..], Crc(header[8..56]));
    }

    /// <summary>Takes a blob away again that was not committed, or whose commit failed.</summary>
    public void Discard(long offset, int length) => Erase(_file, offset, length);

    /// <summary>The blob at an offset of an open pack; null when there is none, or no longer.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static BlobStat? Stat(SafeFileHandle file, string id, long offset) => Read(file, id, offset) is { IsLive: true } found ? found.Stat : null;

    /// <summary>Whether the blob at an offset is still there. Asked after reading from it: who deletes says so in the header before the bytes go.</summary>
    public static bool IsLive(SafeFileHandle file, long offset)
    {
        Span<byte> word = stackalloc byte[8];
        return RandomAccess.Read(file, word, offset) == word.Length && word.SequenceEqual(Live);
    }

    /// <summary>Deletes the blob at an offset, if it is there.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Delete(string path, string id, long offset)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        if (Stat(file, id, offset) is { } blob) Erase(file, offset, blob.Length);
    }

    /// <summary>The blobs of a pack in order, from an offset on. Where a commit never came there is no header, and the next one is looked for block by block.</summary>
    public static IEnumerable<BlobStat> Walk(SafeFileHandle file, string id, long offset)
    {
        // Behind this length a pack may grow meanwhile.
        long end = RandomAccess.GetLength(file);
        while (offset < end)
        {
            (BlobStat Stat, bool IsLive)? found = Read(file, id, offset);
            if (found is { IsLive: true } live) yield return live.Stat;
            offset += found is { } one ? Blocks(one.Stat.Length) * BlockBytes : BlockBytes;
        }
    }

    /// <summary>Cuts a pack off behind its last blob, or deletes it when it has none, unless somebody writes it.</summary>
    public static void GiveBack(string path, string id, long end)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        if (Walk(file, id, end).Any()) return;
        if (end == 0) File.Delete(path);
        else RandomAccess.SetLength(file, end);
    }

    /// <summary>Where a blob ends in its pack.</summary>
    public static long EndOf(BlobStat blob) => TryParse(blob.Key, out _, out long offset) ? offset + (Blocks(blob.Length) * BlockBytes) : 0;

    /// <summary>That a blob with its header takes.</summary>
    public static long Blocks(long length) => (HeaderBytes + length + BlockBytes - 1) / BlockBytes;

    private static uint Crc(ReadOnlySpan<byte> bytes) => Crc32C.End(Crc32C.Append(Crc32C.Start, bytes));

    private static (BlobStat Stat, bool IsLive)? Read(SafeFileHandle file, string id, long offset)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (RandomAccess.Read(file, header, offset) < HeaderBytes) return null;
        bool isLive = header.StartsWith(Live);
        if (!isLive && !header.StartsWith(Gone)) return null;
        // A header names its own place, which no blob's content can know: bytes of a blob are never taken for one.
        string key = Encoding.ASCII.GetString(header[8..40]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[56..]) != Crc(header[8..56]) || !TryParse(key, out string itsId, out long itsOffset) || itsId != id || itsOffset != offset) return null;
        long time = BinaryPrimitives.ReadInt64LittleEndian(header[48..]);
        return (new BlobStat(key, BinaryPrimitives.ReadInt64LittleEndian(header[40..]), DateTimeOffset.FromUnixTimeMilliseconds(time)), isLive);
    }

    // The word first: a reader looks at it after it has read. Then the bytes that share the header's block, then the other blocks.
    private static void Erase(SafeFileHandle file, long offset, long length)
    {
        RandomAccess.Write(file, Gone, offset);
        RandomAccess.Write(file, new byte[Math.Min(BlockBytes - HeaderBytes, (int)Math.Min(length, BlockBytes))], offset + HeaderBytes);
        Durable.PunchHole(file, offset + BlockBytes, (Blocks(length) - 1) * BlockBytes);
    }

    /// <summary>Begins to make durable what is written, in the background, for who will ask <see cref="Flush"/> for it. Where that cannot be, or a flush is under way, it does nothing.</summary>
    /// <param name="written">Of <see cref="EndWrites"/>.</param>
    public void BeginFlush(long written)
    {
        lock (_gate)
        {
            if (_flushed >= written || _isFlushing || _fault is not null) return;
            if (_flushes == 0) _flushes = DirectIO.CreateContext(requestsMax: 1);
            if (_flushes == 0 || !DirectIO.TrySubmitFlush(_flushes, _file)) return;
            (_isFlushing, _begunFlush) = (true, _written);
        }
    }

    /// <summary>Returns once a blob is durable. Callers that come while the disk is busy share the next flush, and who comes after it has nothing to wait for.</summary>
    /// <param name="written">Of <see cref="EndWrites"/>.</param>
    /// <exception cref="IOException">The disk refuses. After a failed flush the kernel forgets which pages were dirty and a second try would lie: the pack takes no more.</exception>
    public void Flush(long written)
    {
        while (TakeFlush(written) is var (covered, wasBegun))
        {
            IOException? failed = null;
            try
            {
                if (wasBegun) failed = DirectIO.Wait(_flushes, 1);
                else Durable.FlushData(_file);
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                failed = e as IOException ?? new IOException(e.Message, e);
            }
            lock (_gate)
            {
                _isFlushing = false;
                if (failed is null) _flushed = covered;
                else _fault = failed;
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>The flush that the caller is to run, or to wait for where it was begun, and what it covers; null when there is none left. Waits for those of others.</summary>
    private (long Covered, bool WasBegun)? TakeFlush(long written)
    {
        // A monitor, because its waiters sleep at once: a blocking wait on a task spins first, and that is the sender's time.
        lock (_gate)
        {
            while (_flushed < written)
            {
                if (_fault is { } fault) throw new IOException(fault.Message, fault.HResult);
                if (_isFlushing && _begunFlush == 0)
                {
                    Monitor.Wait(_gate);
                    continue;
                }
                (long Covered, bool WasBegun) flush = (_isFlushing ? _begunFlush : _written, _isFlushing);
                (_isFlushing, _begunFlush) = (true, 0);
                return flush;
            }
            return null;
        }
    }
}

/// <summary>A range of a blob in a pack.</summary>
internal sealed class PackRangeStream(SafeFileHandle file, string storeName, BlobStat blob, long offset, long from, long length)
    : FileRangeStream(file, offset + Pack.HeaderBytes, blob.Length, from, length)
{
    protected override void Check()
    {
        if (!Pack.IsLive(File, offset)) throw new BlobNotFoundException(storeName, blob.Key);
    }
}
