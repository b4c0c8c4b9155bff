using System.Buffers.Binary;

namespace PacsCluster.Testing;

/// <summary>A blob as it lies in a pack of a file store, for tests that do to it what disks do.</summary>
/// <param name="Path">The pack.</param>
/// <param name="Offset">Of the header of 64 bytes in front of it.</param>
/// <param name="Length">Bytes behind the header.</param>
public sealed record StoredBlob(string Path, long Offset, long Length)
{
    private const int BlockBytes = 4096, HeaderBytes = 64, LengthAt = 40;

    /// <summary>All of a store's folder, in order of their packs and places.</summary>
    public static List<StoredBlob> In(string folder)
    {
        List<StoredBlob> found = [];
        string packs = System.IO.Path.Combine(folder, "packs");
        if (!Directory.Exists(packs)) return found;
        foreach (string path in Directory.EnumerateFiles(packs, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            byte[] pack = File.ReadAllBytes(path);
            for (int at = 0; at + HeaderBytes <= pack.Length; at += BlockBytes)
            {
                if (pack.AsSpan(at).StartsWith("PACSBLB1"u8)) found.Add(new StoredBlob(path, at, BinaryPrimitives.ReadInt64LittleEndian(pack.AsSpan(at + LengthAt))));
            }
        }
        return found;
    }

    /// <summary>Turns one bit of its last but fourth byte.</summary>
    public void Damage()
    {
        using FileStream file = Open();
        file.Position = Offset + HeaderBytes + Length - 5;
        int one = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(one ^ 1));
    }

    /// <summary>Loses it.</summary>
    public void Remove()
    {
        using FileStream file = Open();
        file.Position = Offset;
        file.Write(new byte[HeaderBytes]);
    }

    private FileStream Open() => new(Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
}
