using PacsCluster.Dicom;

namespace PacsCluster.Imaging;

/// <summary>What a transfer syntax means for pixels.</summary>
public static class CodecSyntaxes
{
    private enum Kind { Native, Rle, Deflated, Jpeg, Other }

    // JPEG of every process, JPEG-LS and JPEG 2000 are told apart by their codestreams, not by the UID: senders err, and every reader forgives it.
    private static readonly Dictionary<string, (Kind Kind, bool IsLossy)> s_known = new(StringComparer.Ordinal)
    {
        [Uids.RLELossless] = (Kind.Rle, false),
        [Uids.DeflatedImageFrameCompression] = (Kind.Deflated, false),
        [Uids.JPEGBaseline8Bit] = (Kind.Jpeg, true),
        [Uids.JPEGExtended12Bit] = (Kind.Jpeg, true),
        [Uids.JPEGExtended35] = (Kind.Jpeg, true),
        [Uids.JPEGSpectralSelectionNonHierarchical68] = (Kind.Jpeg, true),
        [Uids.JPEGSpectralSelectionNonHierarchical79] = (Kind.Jpeg, true),
        [Uids.JPEGFullProgressionNonHierarchical1012] = (Kind.Jpeg, true),
        [Uids.JPEGFullProgressionNonHierarchical1113] = (Kind.Jpeg, true),
        [Uids.JPEGLossless] = (Kind.Jpeg, false),
        [Uids.JPEGLosslessNonHierarchical15] = (Kind.Jpeg, false),
        [Uids.JPEGLosslessSV1] = (Kind.Jpeg, false),
        [Uids.JPEGLSLossless] = (Kind.Jpeg, false),
        [Uids.JPEGLSNearLossless] = (Kind.Jpeg, true),
        [Uids.JPEG2000Lossless] = (Kind.Jpeg, false),
        [Uids.JPEG2000] = (Kind.Jpeg, true),
        [Uids.JPEG2000MCLossless] = (Kind.Jpeg, false),
        [Uids.JPEG2000MC] = (Kind.Jpeg, true),
        [Uids.HTJ2KLossless] = (Kind.Jpeg, false),
        [Uids.HTJ2KLosslessRPCL] = (Kind.Jpeg, false),
        [Uids.HTJ2K] = (Kind.Jpeg, true),
    };

    /// <summary>Whether frames can be decoded. Video cannot: it is passed through as it is.</summary>
    public static bool CanDecode(string transferSyntaxUid) => KindOf(transferSyntaxUid) is Kind.Native or Kind.Rle or Kind.Deflated or Kind.Jpeg;

    /// <summary>Whether frames can be encoded: uncompressed and deflated, RLE, JPEG baseline, JPEG-LS, JPEG 2000, lossless HTJ2K.</summary>
    public static bool CanEncode(string transferSyntaxUid) => KindOf(transferSyntaxUid) == Kind.Native || transferSyntaxUid is Uids.RLELossless or Uids.JPEGBaseline8Bit
        or Uids.JPEGLSLossless or Uids.JPEGLSNearLossless or Uids.JPEG2000Lossless or Uids.JPEG2000 or Uids.HTJ2KLossless;

    /// <summary>Whether what is in it may have lost something. JPEG 2000 (.91) and HTJ2K (.203) need not have, but may.</summary>
    public static bool IsLossy(string transferSyntaxUid) => s_known.TryGetValue(transferSyntaxUid, out var known) && known.IsLossy;

    internal static bool IsNative(string transferSyntaxUid) => KindOf(transferSyntaxUid) == Kind.Native;

    internal static bool IsRle(string transferSyntaxUid) => KindOf(transferSyntaxUid) == Kind.Rle;

    internal static bool IsDeflatedFrames(string transferSyntaxUid) => KindOf(transferSyntaxUid) == Kind.Deflated;

    private static Kind KindOf(string transferSyntaxUid)
    {
        if (s_known.TryGetValue(transferSyntaxUid, out var known)) return known.Kind;
        return TransferSyntax.FromUid(transferSyntaxUid).IsEncapsulated ? Kind.Other : Kind.Native;
    }
}
