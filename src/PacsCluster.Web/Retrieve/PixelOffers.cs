using PacsCluster.Dicom;
using PacsCluster.Engine;

namespace PacsCluster.Web;

/// <summary>What pixel data can be answered with (PS3.18 8.7.3.3 and 8.7.3.4).</summary>
internal static class PixelOffers
{
    // The fastest that is small first.
    private static readonly string[] s_lossless = ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"];
    private static readonly string[] s_lossy = ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"];

    /// <summary>The offers for an instance as it is stored, the default first.</summary>
    /// <param name="transferSyntaxUid">As stored.</param>
    /// <param name="single">It is one part, which may go without multipart (C-73).</param>
    public static List<Offer> Of(string transferSyntaxUid, bool single)
    {
        string stored = transferSyntaxUid;
        List<Offer> offers = [];
        if (!TransferSyntax.FromUid(stored).IsEncapsulated)
        {
            Add(offers, new Offer(PixelMediaTypes.OctetStream, true, PixelMediaTypes.Native), single);
            return offers;
        }
        // A codestream under its own type; and as mere bytes for who asks for this transfer syntax or any (viewers ask for octet-stream and *).
        string type = PixelMediaTypes.Of(stored);
        if (PixelMediaTypes.IsVideo(stored))
        {
            foreach (string one in PixelMediaTypes.OfVideo(stored)) Add(offers, new Offer(one, true, stored), single);
        }
        else if (type != PixelMediaTypes.OctetStream) Add(offers, new Offer(type, true, stored, PixelMediaTypes.IsDefault(stored)), single);
        // Octet-stream alone means samples, also of what has no media type of its own (deflated frames); it means the bytes that are stored only where no samples can be had.
        Add(offers, new Offer(PixelMediaTypes.OctetStream, true, stored, IsDefault: type == PixelMediaTypes.OctetStream && !FrameConverter.CanConvert(stored, PixelMediaTypes.Native)), single);
        return offers;
    }

    /// <summary>The offers for frames: as stored, then decoded, then compressed without loss, then lossy for who names such a transfer syntax, and never from lossy.</summary>
    public static List<Offer> OfFrames(string transferSyntaxUid, bool single)
    {
        List<Offer> offers = Of(transferSyntaxUid, single);
        if (TransferSyntax.FromUid(transferSyntaxUid).IsEncapsulated) Convert(PixelMediaTypes.Native, isLossy: false);
        foreach (string uid in s_lossless) Convert(uid, isLossy: false);
        foreach (string uid in s_lossy) Convert(uid, isLossy: true);
        return offers;

        void Convert(string uid, bool isLossy)
        {
            if (FrameConverter.CanConvert(transferSyntaxUid, uid)) Add(offers, new Offer(PixelMediaTypes.Of(uid), true, uid, IsDefault: !isLossy, OnlyByName: isLossy), single);
        }
    }

    /// <summary>The offers for the whole pixel data of an instance: those for frames. Samples of all frames are one part, of codestreams each frame is one (PS3.18 8.6.1), so several go in parts only.</summary>
    /// <param name="transferSyntaxUid">As stored.</param>
    /// <param name="frames">Number of frames; 0 where they cannot be told apart.</param>
    public static List<Offer> OfAll(string transferSyntaxUid, int frames)
    {
        List<Offer> offers = OfFrames(transferSyntaxUid, single: true);
        if (frames > 1) offers.RemoveAll(o => !o.InParts && o.TransferSyntaxUid != PixelMediaTypes.Native);
        return offers;
    }

    /// <summary>The offer is what is stored, and nothing has to be converted.</summary>
    public static bool IsStored(Offer offer, string transferSyntaxUid) =>
        offer.TransferSyntaxUid == (TransferSyntax.FromUid(transferSyntaxUid).IsEncapsulated ? transferSyntaxUid : PixelMediaTypes.Native);

    private static void Add(List<Offer> offers, Offer inParts, bool single)
    {
        offers.Add(inParts);
        if (single) offers.Add(inParts with { InParts = false });
    }
}
