using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>What pixel data can be answered with (PS3.18 8.7.3.3 and 8.7.3.4).</summary>
internal static class PixelOffers
{
    /// <summary>The offers for an instance, the default first.</summary>
    /// <param name="transferSyntaxUid">As stored.</param>
    /// <param name="single">It is one part, which may go without multipart (C-73).</param>
    public static List<Offer> Of(string transferSyntaxUid, bool single)
    {
        string stored = transferSyntaxUid;
        List<Offer> offers = [];
        if (!TransferSyntax.FromUid(stored).IsEncapsulated)
        {
            Add(PixelMediaTypes.OctetStream, PixelMediaTypes.Native, isDefault: true);
            return offers;
        }
        // A codestream under its own type; and as mere bytes for who asks for this transfer syntax or any (viewers ask for octet-stream and *).
        string type = PixelMediaTypes.Of(stored);
        if (type != PixelMediaTypes.OctetStream) Add(type, stored, PixelMediaTypes.IsDefault(stored));
        Add(PixelMediaTypes.OctetStream, stored, isDefault: type == PixelMediaTypes.OctetStream);
        return offers;

        void Add(string essence, string uid, bool isDefault)
        {
            offers.Add(new Offer(essence, true, uid, isDefault));
            if (single) offers.Add(new Offer(essence, false, uid, isDefault));
        }
    }
}
