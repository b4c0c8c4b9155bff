namespace PacsCluster.Dicom;

/// <summary>Files of PS3.10.</summary>
public static class Part10
{
    /// <summary>Our Implementation Class UID (0002,0012).</summary>
    public const string ImplementationClassUid = "1.2.826.0.1.3680043.10.1463.1";

    /// <summary>Our Implementation Version Name (0002,0013), at most 16 characters.</summary>
    public const string ImplementationVersionName = "PACSCLUSTER_0_1";

    private const int PreambleLength = 128;

    private static readonly System.Buffers.SearchValues<char> s_uidCharacters = System.Buffers.SearchValues.Create("0123456789.");

    /// <summary>Preamble, DICM and a new group 0002 (C-69, PS3.10 section 7.1). Keeps Source AE and private information of <paramref name="source"/>
    /// when given; the preamble is zeros, whatever the sender's held.</summary>
    /// <param name="transferSyntax">Of the data set that will follow.</param>
    /// <param name="sopClassUid">Media Storage SOP Class UID (0002,0002).</param>
    /// <param name="sopInstanceUid">Media Storage SOP Instance UID (0002,0003).</param>
    /// <param name="sourceAETitle">Source Application Entity Title (0002,0016); null takes that of <paramref name="source"/>.</param>
    /// <param name="source">File Meta Information that came with the data set.</param>
    public static byte[] BuildFileMeta(TransferSyntax transferSyntax, string sopClassUid, string sopInstanceUid, string? sourceAETitle = null, DataSet? source = null)
    {
        ArgumentNullException.ThrowIfNull(transferSyntax);
        var meta = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        meta.SetRaw(new Tag(0x00020001), VR.OB, new byte[] { 0, 1 });
        meta.Set(new Tag(0x00020002), sopClassUid, VR.UI);
        meta.Set(new Tag(0x00020003), sopInstanceUid, VR.UI);
        meta.Set(new Tag(0x00020010), transferSyntax.Uid, VR.UI);
        meta.Set(new Tag(0x00020012), ImplementationClassUid, VR.UI);
        meta.Set(new Tag(0x00020013), ImplementationVersionName, VR.SH);
        if ((sourceAETitle ?? source?.GetString(new Tag(0x00020016))) is { Length: > 0 } title) meta.Set(new Tag(0x00020016), title, VR.AE);
        if (source?.GetString(new Tag(0x00020100)) is { } creator && source.TryGet(new Tag(0x00020102), out DataElement information))
        {
            meta.Set(new Tag(0x00020100), creator, VR.UI);
            meta.SetRaw(new Tag(0x00020102), VR.OB, information.RawValue);
        }
        byte[] elements = meta.ToArray();
        byte[] file = new byte[PreambleLength + 4 + 12 + elements.Length];
        "DICM"u8.CopyTo(file.AsSpan(PreambleLength));
        Span<byte> length = file.AsSpan(PreambleLength + 4, 12);
        DataSetWriter.PutHeader(length, Mode.Explicit, new Tag(0x00020000), VR.UL, 4);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(length[8..], elements.Length);
        elements.CopyTo(file.AsSpan(PreambleLength + 4 + 12));
        return file;
    }

    /// <summary>Finds where the data set starts and how it is encoded, from a file's first bytes; with or without preamble or File Meta Information.
    /// The File Meta Information must lie within these bytes whole: it is a few hundred bytes long, so 64 KiB do.</summary>
    /// <exception cref="DicomFormatException">Not a DICOM file.</exception>
    public static FileStart ReadStart(ReadOnlyMemory<byte> firstBytes)
    {
        ReadOnlySpan<byte> bytes = firstBytes.Span;
        int at = StartOfElements(bytes);
        int dataSet = EndOfFileMeta(bytes, at, out Mode metaMode);
        DataSet? meta = dataSet > at ? ReadMeta(firstBytes[at..dataSet], metaMode) : null;
        ReadOnlySpan<byte> rest = bytes[dataSet..];
        TransferSyntax? stated = meta?.GetString(new Tag(0x00020010)) is { } uid && IsUid(uid) ? TransferSyntax.FromUid(uid) : null;
        TransferSyntax? evident = Guess(rest);
        if (stated is null && evident is null)
        {
            if (meta is null || !rest.IsEmpty) throw new DicomFormatException(meta is null ? "not a DICOM file" : "the transfer syntax is missing and not evident", at);
            evident = TransferSyntax.ExplicitVRLittleEndian;
        }
        return new FileStart(meta, stated is null ? evident! : Reconcile(stated, evident, rest), dataSet);
    }

    /// <summary>A whole file.</summary>
    /// <exception cref="DicomFormatException">Not a DICOM file, cut off, or nested too deep.</exception>
    public static (DataSet? FileMeta, DataSet DataSet) Read(ReadOnlyMemory<byte> file, ReadOptions? options = null)
    {
        FileStart start = ReadStart(file);
        return (start.FileMeta, DataSet.Read(file[start.DataSetOffset..], start.TransferSyntax, options));
    }

    private static int StartOfElements(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= PreambleLength + 4 && bytes.Slice(PreambleLength, 4).SequenceEqual("DICM"u8)) return PreambleLength + 4;
        return bytes.StartsWith("DICM"u8) ? 4 : 0;
    }

    /// <summary>Group 0002 goes on as long as its tags do: its group length is often missing or wrong, and so is an explicit VR here and there.</summary>
    private static int EndOfFileMeta(ReadOnlySpan<byte> bytes, int from, out Mode mode)
    {
        mode = Mode.Explicit;
        if (bytes.Length - from < 8) return from;
        if (ElementHeader.ReadTag(bytes[from..], mode).Group != 2) return from;
        mode = ElementHeader.ModeOfItem(bytes[from..], Mode.Explicit, insideUnknown: false);
        int at = from;
        while (ElementHeader.TryRead(bytes[at..], mode, out ElementHeader header) && header.Tag.Group == 2)
        {
            long next = (long)at + header.Size + header.Length;
            if (header.IsUndefined || next > bytes.Length) throw new DicomFormatException("the File Meta Information runs over its end", at, header.Tag);
            at = (int)next;
        }
        return at;
    }

    private static DataSet ReadMeta(ReadOnlyMemory<byte> bytes, Mode mode)
    {
        if ((mode & Mode.Explicit) != 0) return DataSet.Read(bytes, TransferSyntax.ExplicitVRLittleEndian);
        byte[] explicitVR = DataSet.Read(bytes, TransferSyntax.ImplicitVRLittleEndian).ToArray(TransferSyntax.ExplicitVRLittleEndian);
        return DataSet.Read(explicitVR, TransferSyntax.ExplicitVRLittleEndian);
    }

    private static bool IsUid(string uid) => uid.Length is > 4 and <= 64 && !uid.AsSpan().ContainsAnyExcept(s_uidCharacters);

    /// <summary>What the first element says: a VR stands there or not, and which byte order makes its group small. Null when it is no element.</summary>
    private static TransferSyntax? Guess(ReadOnlySpan<byte> rest)
    {
        if (rest.Length < 8) return null;
        Tag little = ElementHeader.ReadTag(rest, 0), big = ElementHeader.ReadTag(rest, Mode.Big);
        bool swapped = big.Group < little.Group;
        Tag tag = swapped ? big : little;
        if (VRs.FromBytes(rest[4], rest[5]) != VR.None)
        {
            if (tag.Group > 0x7FE0) return null;
            return swapped ? TransferSyntax.ExplicitVRBigEndian : TransferSyntax.ExplicitVRLittleEndian;
        }
        uint length = ElementHeader.ReadUInt32(rest[4..], 0);
        bool plausible = little.Group is >= 1 and <= 0x7FE0 && (length <= (uint)(rest.Length - 8) || length == ElementHeader.Undefined || little.Value == ElementHeader.PixelDataTag);
        return plausible ? TransferSyntax.ImplicitVRLittleEndian : null;
    }

    /// <summary>The File Meta Information says one thing; the data set may show that it is another.</summary>
    private static TransferSyntax Reconcile(TransferSyntax stated, TransferSyntax? evident, ReadOnlySpan<byte> rest)
    {
        if (evident is null || evident == stated) return stated;
        if (stated.IsDeflated)
        {
            // Deflated bytes may look like anything; only a plain first group 0008 with a VR is taken for not deflated.
            return evident.IsExplicitVR && rest[0] == 8 && rest[1] == 0 ? evident : stated;
        }
        if (stated.IsEncapsulated) return stated;
        // Where the two agree about VRs, a first tag that swaps both ways (0008,0800 ...) decides nothing.
        if (evident.IsExplicitVR == stated.IsExplicitVR && (rest[0] != 0 && rest[1] != 0)) return stated;
        return evident;
    }
}

/// <summary>How a file starts.</summary>
/// <param name="FileMeta">Group 0002, Explicit VR Little Endian; null without one.</param>
/// <param name="TransferSyntax">Of the data set; guessed where File Meta Information is missing or evidently wrong.</param>
/// <param name="DataSetOffset">Bytes before the data set.</param>
public sealed record FileStart(DataSet? FileMeta, TransferSyntax TransferSyntax, int DataSetOffset);
