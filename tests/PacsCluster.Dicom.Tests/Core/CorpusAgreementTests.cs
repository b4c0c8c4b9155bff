using System.Security.Cryptography;
using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Core;

/// <summary>Element by element against readers that are not ours.</summary>
public class CorpusAgreementTests
{
    /// <summary>Where we differ from dcmdump on purpose.</summary>
    private static readonly Dictionary<string, string> s_otherThanDcmdump = new()
    {
        ["TC1157_sq_item_huge_len.dcm"] = "an item claims 2 GB inside a sequence of 114 bytes: the sequence's length holds (as in pydicom), dcmdump follows the item",
    };

    /// <summary>Where we differ from pydicom on purpose.</summary>
    private static readonly Dictionary<string, string> s_otherThanPydicom = new()
    {
        ["Tag-0040-A170-VR-CS.dcm"] = "pydicom makes an item of text that stands where a sequence should be; dcmdump refuses the file",
    };

    [Fact]
    public async Task Every_file_that_dcmdump_reads_has_the_same_tags_VRs_and_lengths()
    {
        var wrong = new List<string>();
        int files = 0, elements = 0;
        foreach ((string path, List<Listed> theirs) in await Oracles.Dcmdump)
        {
            if (s_otherThanDcmdump.ContainsKey(Path.GetFileName(path))) continue;
            Compare(path, theirs, wrong, DifferenceFromDcmdump);
            files++;
            elements += theirs.Count;
        }
        Assert.True(wrong.Count == 0, Report(wrong));
        Assert.True(files > 600 && elements > 50_000, $"{files} files, {elements} elements");
    }

    [Fact]
    public async Task Every_file_that_pydicom_reads_has_the_same_values()
    {
        Dictionary<string, List<Listed>> dcmdump = await Oracles.Dcmdump;
        var wrong = new List<string>();
        int files = 0, elements = 0;
        foreach ((string path, List<Listed> theirs) in await Oracles.Pydicom)
        {
            // By force pydicom reads texts, and files that are cut off: what dcmdump refuses we may refuse.
            if (s_otherThanPydicom.ContainsKey(Path.GetFileName(path)) || theirs.Count == 0 || (!dcmdump.ContainsKey(path) && !IsReadable(path))) continue;
            Compare(path, theirs, wrong, DifferenceFromPydicom);
            files++;
            elements += theirs.Count;
        }
        Assert.True(wrong.Count == 0, Report(wrong));
        Assert.True(files > 600 && elements > 50_000, $"{files} files, {elements} elements");
    }

    private static bool IsReadable(string path)
    {
        try
        {
            Part10.Read(File.ReadAllBytes(path));
            return true;
        }
        catch (DicomFormatException)
        {
            return false;
        }
    }

    private static void Compare(string path, List<Listed> theirs, List<string> wrong, Func<Listed, Ours, string?> difference)
    {
        string name = Path.GetRelativePath(Corpus.Root, path);
        Dictionary<string, Ours> ours;
        try
        {
            ours = Ours.List(File.ReadAllBytes(path));
        }
        catch (DicomFormatException e)
        {
            wrong.Add($"{name}: {e.Message}");
            return;
        }
        foreach (Listed their in theirs)
        {
            // pydicom lists delimiters that stand where none should.
            if (their.Path.StartsWith("FFFE", StringComparison.Ordinal) || their.Path == "frames") continue;
            if (!ours.Remove(their.Path, out Ours? our)) wrong.Add($"{name}: {their.Path} {their.VR} is missing");
            else if (difference(their, our) is { } text) wrong.Add($"{name}: {their.Path} {text}");
        }
        // What stays unknown to them, we may see the items of.
        foreach (Listed their in theirs.Where(t => t.VR is "UN" or "--" or "??" && t.Items is null && t.Length > 0))
        {
            foreach (string below in ours.Keys.Where(k => k.StartsWith(their.Path + "[", StringComparison.Ordinal)).ToList()) ours.Remove(below);
        }
        foreach (string more in ours.Keys) wrong.Add($"{name}: {more} is too much");
    }

    private static string? DifferenceFromDcmdump(Listed their, Ours our)
    {
        // dcmdump calls any encapsulated pixel data OB, a UN of undefined length SQ, and pads odd lengths; small letters and ?? are its doubts.
        bool encapsulated = our.Element.HasUndefinedLength && our.Element.Tag == Tags.PixelData;
        string vr = our.Element.HasUndefinedLength ? our.Element.EffectiveVR.ToString() : our.VR;
        if (their.VR != vr && char.IsUpper(their.VR[0]) && !encapsulated) return $"{their.VR} is {vr}";
        return their.Length == our.DumpLength || (our.DumpLength & 1) == 1 && their.Length == our.DumpLength + 1
            ? null
            : $"{their.VR} length {their.Length} is {our.DumpLength}";
    }

    private static string? DifferenceFromPydicom(Listed their, Ours our)
    {
        if (their.Length == -2 && their.Items is null) return null;
        // Empty, and known to be a sequence only to one of the two.
        if (their.Items == 0 && our.Element.IsEmpty) return null;
        if (their.Items is { } items) return items == our.Items ? null : $"has {our.Items} items, not {items}";
        if (their.VR != our.StatedVR && !their.VR.Contains(" or ", StringComparison.Ordinal)) return $"{their.VR} is {our.StatedVR}";
        return their.Digest == our.Digest() ? null : $"{their.VR} has another value: {our.Element.RawValue.Length} bytes, not {their.Length}";
    }

    [Fact]
    public async Task Encapsulated_pixel_data_is_cut_into_the_frames_that_pydicom_finds()
    {
        var wrong = new List<string>();
        int files = 0;
        foreach ((string path, List<Listed> theirs) in await Oracles.Pydicom)
        {
            Listed? frames = theirs.Find(t => t.Path == "frames");
            if (frames is null || !IsReadable(path)) continue;
            byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
            FileStart start = Part10.ReadStart(file);
            ReadOnlyMemory<byte> data = file.AsMemory(start.DataSetOffset);
            using var reader = new PushReader(start.TransferSyntax);
            reader.Feed(data.Span);
            reader.Complete();
            files++;
            string ours = string.Concat(reader.Frames.Select(f => Convert.ToHexStringLower(SHA256.HashData(Fragments(data.Span, f)))));
            if (frames.Digest != Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(ours))))
                wrong.Add($"{Path.GetRelativePath(Corpus.Root, path)}: {reader.Frames.Count} frames, not {frames.Length}, or others");
        }
        Assert.True(wrong.Count == 0, Report(wrong));
        Assert.True(files > 100, $"{files} files");
    }

    /// <summary>A frame's codestream, without item headers.</summary>
    private static byte[] Fragments(ReadOnlySpan<byte> data, FrameLocation frame)
    {
        ReadOnlySpan<byte> bytes = data.Slice((int)frame.Offset, (int)frame.Length);
        if (frame.FragmentCount == 1) return bytes.ToArray();
        var joined = new List<byte>();
        while (!bytes.IsEmpty)
        {
            int length = System.Buffers.Binary.BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]);
            joined.AddRange(bytes.Slice(8, length));
            bytes = bytes[(8 + length)..];
        }
        return [.. joined];
    }

    /// <summary>A few lines for each file.</summary>
    private static string Report(List<string> wrong) =>
        string.Join('\n', wrong.GroupBy(w => w[..w.IndexOf(':', StringComparison.Ordinal)]).SelectMany(g => g.Take(4).Append($"... {g.Count()}")).Take(200));
}

/// <summary>An element of ours, in the words of the others.</summary>
internal sealed record Ours(DataElement Element, int? Items)
{
    public string VR => Element.VR.ToString();

    public string StatedVR => Element.Entry.VR == Dicom.VR.None ? "--" : Element.Entry.VR.ToString();

    public long DumpLength => Element.HasUndefinedLength ? -1 : Element.RawValue.Length;

    public string Digest() => Convert.ToHexStringLower(SHA256.HashData(Element.LittleEndianValue.Span));

    public static Dictionary<string, Ours> List(byte[] file)
    {
        var list = new Dictionary<string, Ours>();
        Walk(Part10.Read(file).DataSet, "", list);
        return list;
    }

    private static void Walk(DataSet dataSet, string prefix, Dictionary<string, Ours> list)
    {
        foreach (DataElement element in dataSet)
        {
            string path = prefix + element.Tag.ToHex();
            if (element.EffectiveVR != Dicom.VR.SQ)
            {
                list.Add(path, new Ours(element, null));
                continue;
            }
            IReadOnlyList<DataSet> items = element.Items;
            list.Add(path, new Ours(element, items.Count));
            for (int i = 0; i < items.Count; i++) Walk(items[i], $"{path}[{i}].", list);
        }
    }
}
