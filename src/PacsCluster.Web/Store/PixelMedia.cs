using System.Buffers.Binary;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>Compressed pixel data that came as a part of a media type of its own (PS3.18 table 8.7.3-5): its transfer syntax, and for JPEG what its frame header says.</summary>
internal sealed class PixelMedia
{
    private const int HeaderBytes = 64 * 1024;

    private readonly JpegFrame? _jpeg;

    private PixelMedia(string transferSyntaxUid, JpegFrame? jpeg = null) => (TransferSyntax, _jpeg) = (TransferSyntax.FromUid(transferSyntaxUid), jpeg);

    /// <summary>Encoding of an instance with this pixel data.</summary>
    public TransferSyntax TransferSyntax { get; }

    /// <summary>JPEG's frame header (ITU-T T.81 B.2.2) with the selection value of its first scan.</summary>
    private readonly record struct JpegFrame(byte Marker, int Precision, int Rows, int Columns, int Samples, int Selection, int Near);

    /// <summary>What a part is; null for native pixel data.</summary>
    public static PixelMedia? Of(AsidePart part)
    {
        string? said = part.MediaType?["transfer-syntax"];
        string? uid = said is not null && TransferSyntax.FromUid(said).IsEncapsulated ? said : null;
        switch (part.MediaType?.Essence)
        {
            case "image/jpeg" or "image/jls":
                JpegFrame? frame = ReadJpeg(part);
                return new PixelMedia(uid ?? TransferSyntaxOf(frame), frame);
            case "image/jp2":
                return new PixelMedia(uid ?? "1.2.840.10008.1.2.4.91");
            case "image/jpx":
                return new PixelMedia(uid ?? "1.2.840.10008.1.2.4.93");
            case "image/jphc":
                return new PixelMedia(uid ?? "1.2.840.10008.1.2.4.203");
            case "image/jxl":
                return new PixelMedia(uid ?? "1.2.840.10008.1.2.4.112");
            case "image/dicom-rle":
                return new PixelMedia(uid ?? "1.2.840.10008.1.2.5");
            case "video/mpeg" or "video/mpeg2":
                return new PixelMedia(uid ?? "1.2.840.10008.1.2.4.100");
            case "video/mp4":
                return new PixelMedia(uid ?? "1.2.840.10008.1.2.4.102");
            case "video/h265":
                return new PixelMedia(uid ?? "1.2.840.10008.1.2.4.107");
            default:
                return uid is null ? null : new PixelMedia(uid);
        }
    }

    /// <summary>Sets the attributes of the Image Pixel module that metadata may leave to the picture (PS3.18 10.5.2.2): what is there stays.</summary>
    public void FillIn(DataSet dataSet)
    {
        if (_jpeg is not { } frame) return;
        Fill(0x0028_0002, frame.Samples);
        Fill(0x0028_0010, frame.Rows);
        Fill(0x0028_0011, frame.Columns);
        Fill(0x0028_0100, frame.Precision > 8 ? 16 : 8);
        Fill(0x0028_0101, frame.Precision);
        Fill(0x0028_0102, frame.Precision - 1);
        Fill(0x0028_0103, 0);
        if (frame.Samples > 1) Fill(0x0028_0006, 0);
        Tag photometric = new(0x0028_0004);
        bool isLossy = frame.Marker is not (0xC3 or 0xF7);
        if (dataSet.GetString(photometric) is null) dataSet.Set(photometric, frame.Samples == 1 ? "MONOCHROME2" : isLossy ? "YBR_FULL_422" : "RGB", VR.CS);

        void Fill(uint tag, int value)
        {
            if (dataSet.GetInt32(new Tag(tag)) is null) dataSet.Set(new Tag(tag), value, VR.US);
        }
    }

    private static string TransferSyntaxOf(JpegFrame? frame) => frame switch
    {
        { Marker: 0xC1 } => "1.2.840.10008.1.2.4.51",
        { Marker: 0xC2 } => "1.2.840.10008.1.2.4.55",
        { Marker: 0xC3, Selection: 1 } => "1.2.840.10008.1.2.4.70",
        { Marker: 0xC3 } => "1.2.840.10008.1.2.4.57",
        { Marker: 0xF7, Near: 0 } => "1.2.840.10008.1.2.4.80",
        { Marker: 0xF7 } => "1.2.840.10008.1.2.4.81",
        _ => "1.2.840.10008.1.2.4.50",
    };

    private static JpegFrame? ReadJpeg(AsidePart part)
    {
        using Stream stream = part.Open();
        byte[] bytes = new byte[Math.Min(part.Length, HeaderBytes)];
        stream.ReadExactly(bytes);
        JpegFrame? frame = null;
        int at = 2;
        while (at + 4 <= bytes.Length && bytes[at] == 0xFF)
        {
            byte marker = bytes[at + 1];
            // Fill bytes and markers without a length.
            if (marker is 0xFF or 0x01 or (>= 0xD0 and <= 0xD8))
            {
                at += marker == 0xFF ? 1 : 2;
                continue;
            }
            int length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 2));
            ReadOnlySpan<byte> segment = bytes.AsSpan(at + 4, Math.Clamp(length - 2, 0, bytes.Length - at - 4));
            if (marker is (>= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC)) or 0xF7 && segment.Length >= 6)
                frame = new JpegFrame(marker, segment[0], BinaryPrimitives.ReadUInt16BigEndian(segment[1..]), BinaryPrimitives.ReadUInt16BigEndian(segment[3..]), segment[5], 0, 0);
            if (marker == 0xDA)
            {
                // Behind the components of the scan: predictor (or NEAR) of lossless and JPEG-LS.
                int behind = segment.Length > 0 ? 1 + 2 * segment[0] : 0;
                return frame is { } found && segment.Length > behind ? found with { Selection = segment[behind], Near = segment[behind] } : frame;
            }
            at += 2 + length;
        }
        return frame;
    }
}
