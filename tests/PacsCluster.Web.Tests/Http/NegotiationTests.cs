using PacsCluster.Catalog;

namespace PacsCluster.Web.Tests;

public sealed class NegotiationTests
{
    private const string Jp2 = "1.2.840.10008.1.2.4.90", Jp2Lossy = "1.2.840.10008.1.2.4.91", Native = "1.2.840.10008.1.2.1", Implicit = "1.2.840.10008.1.2", Jpeg = "1.2.840.10008.1.2.4.50";

    private static readonly Offer s_parts = new("application/dicom", InParts: true), s_single = new("application/dicom");
    private static readonly Offer[] s_metadata = [new("application/dicom+json"), new("application/dicom+xml", InParts: true)];

    [Theory]
    [InlineData(null, true)]
    [InlineData("*/*", true)]
    [InlineData("application/dicom", false)]
    [InlineData("multipart/related", true)]
    [InlineData("multipart/related; type=application/dicom", true)]
    [InlineData("multipart/related; type=\"application/dicom\";q=0.5, application/dicom", false)]
    [InlineData("application/dicom;q=0.1, multipart/*", true)]
    [InlineData("*/*, multipart/related;q=0", false)]
    public void C_70_C_73_one_instance_in_parts_or_alone(string? accept, bool inParts) =>
        Assert.Equal(inParts, AcceptedTypes.Of([], [accept]).Select([s_parts, s_single])?.Offer.InParts);

    [Theory]
    [InlineData("image/jpeg"), InlineData("multipart/related; type=\"image/jpeg\""), InlineData("application/dicom;q=0"), InlineData("*/*;q=0")]
    public void C_70_nothing_acceptable(string accept) => Assert.Null(AcceptedTypes.Of([], [accept]).Select([s_parts, s_single]));

    [Theory]
    [InlineData("application/dicom+xml;q=0.9, application/dicom+json", "application/dicom+json")]
    [InlineData("application/dicom+json;charset=utf-8", "application/dicom+json")]
    [InlineData("application/dicom+json;charset=iso-8859-1, multipart/related; type=\"application/dicom+xml\";q=0.2", "application/dicom+xml")]
    public void C_70_weights_and_charset(string accept, string essence) => Assert.Equal(essence, AcceptedTypes.Of([], [accept]).Select(s_metadata)!.Offer.Essence);

    [Theory]
    // The parameter goes first where the header lets it pass, as a browser's does.
    [InlineData("application/dicom", "text/html,*/*;q=0.8", false)]
    [InlineData("multipart/related;type=application/dicom", "application/dicom, */*;q=0.1", true)]
    // It is not supported: the header decides.
    [InlineData("image/gif", "application/dicom", false)]
    // It is excluded by the header, which then decides.
    [InlineData("application/dicom", "multipart/related", true)]
    public void C_70_accept_query_parameter(string query, string header, bool inParts) =>
        Assert.Equal(inParts, AcceptedTypes.Of([query], [header]).Select([s_parts, s_single])?.Offer.InParts);

    [Theory]
    [InlineData("application/dicom", Implicit, Native)]
    [InlineData("application/dicom", Native, Native)]
    // Stored lossy goes as it is; lossless would have to be decoded.
    [InlineData("application/dicom", Jpeg, Jpeg)]
    [InlineData("application/dicom", Jp2Lossy, Jp2Lossy)]
    [InlineData("application/dicom; transfer-syntax=*", Jp2, Jp2)]
    [InlineData("application/dicom; transfer-syntax=*", Implicit, Implicit)]
    [InlineData("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90, application/dicom; transfer-syntax=1.2.840.10008.1.2", Native, Implicit)]
    // Of equal weight the stored one; a better weight is worth a conversion.
    [InlineData("application/dicom; transfer-syntax=1.2.840.10008.1.2, application/dicom; transfer-syntax=1.2.840.10008.1.2.1", Native, Native)]
    [InlineData("application/dicom; transfer-syntax=1.2.840.10008.1.2, application/dicom; transfer-syntax=1.2.840.10008.1.2.1;q=0.5", Native, Implicit)]
    [InlineData("application/dicom; transfer-syntax=\"1.2.840.10008.1.2.2\"", Native, "1.2.840.10008.1.2.2")]
    public void C_71_transfer_syntax_of_an_instance(string accept, string stored, string sent)
    {
        Selection selection = AcceptedTypes.Of([], [accept]).Select([s_parts, s_single])!;
        Assert.Equal(sent, Negotiation.Choose(Stored(stored), selection.TransferSyntaxes)?.Uid);
    }

    [Theory]
    // Viewers: octet-stream and any transfer syntax, with and without quotes.
    [InlineData("multipart/related; type=application/octet-stream; transfer-syntax=*", Jp2, "multipart/related; type=\"application/octet-stream\"; transfer-syntax=1.2.840.10008.1.2.4.90")]
    [InlineData("multipart/related; type=\"application/octet-stream; transfer-syntax=*\"", Jpeg, "multipart/related; type=\"application/octet-stream\"; transfer-syntax=1.2.840.10008.1.2.4.50")]
    [InlineData("multipart/related; type=\"image/jp2\"", Jp2, "multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.90")]
    [InlineData("multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.91", Jp2Lossy, "multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.91")]
    [InlineData("image/jp2", Jp2, "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90")]
    [InlineData("application/octet-stream", Implicit, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1")]
    [InlineData("*/*", Implicit, "multipart/related; type=\"application/octet-stream\"; transfer-syntax=1.2.840.10008.1.2.1")]
    [InlineData("image/*;q=0.5, application/octet-stream; transfer-syntax=*;q=0.1", Jpeg, "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50")]
    public void C_70_C_71_frames(string accept, string stored, string chosen) =>
        Assert.Equal(chosen, AcceptedTypes.Of([], [accept]).Select(PixelOffers.OfFrames(stored, single: true))?.Offer.ToString());

    [Theory]
    // What PS3.18 means by image/jpeg alone is lossless, and nothing here encodes that.
    [InlineData("image/jpeg", Native)]
    [InlineData("image/jpeg; transfer-syntax=*", Native)]
    [InlineData("image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91", Jp2Lossy, true)]
    [InlineData("image/jls; transfer-syntax=1.2.840.10008.1.2.4.81", Jpeg)]
    [InlineData("image/jp2", "1.2.840.10008.1.2.4.102")]
    public void C_71_frames_become_nothing_lossy_unasked_and_nothing_lossy_again(string accept, string stored, bool isStored = false) =>
        Assert.Equal(isStored, AcceptedTypes.Of([], [accept]).Select(PixelOffers.OfFrames(stored, single: true)) is not null);

    [Theory]
    // As stored first; decoded for who takes octets of no named transfer syntax; lossless; lossy where it is named.
    [InlineData("*/*", Jp2, "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90")]
    [InlineData("application/octet-stream; transfer-syntax=*", Jp2, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.90")]
    [InlineData("application/octet-stream", Jp2, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1")]
    [InlineData("application/octet-stream", Jpeg, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1")]
    [InlineData("application/octet-stream", "1.2.840.10008.1.2.8.1", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1")]
    [InlineData("application/octet-stream; transfer-syntax=*", "1.2.840.10008.1.2.8.1", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.8.1")]
    [InlineData("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.8.1", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.8.1")]
    [InlineData("*/*", "1.2.840.10008.1.2.8.1", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1")]
    [InlineData("image/jls", Jp2, "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80")]
    [InlineData("image/*", Native, "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80")]
    [InlineData("image/jp2", Jpeg, "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90")]
    [InlineData("image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91", Jp2, "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91")]
    [InlineData("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", Native, "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50")]
    public void C_71_frames_as_stored_then_decoded_then_lossless_then_lossy_by_name(string accept, string stored, string chosen)
    {
        // Not in parts, as the ranges say.
        List<Offer> offers = PixelOffers.OfFrames(stored, single: true).FindAll(offer => !offer.InParts);
        Assert.Equal(chosen, AcceptedTypes.Of([], [accept]).Select(offers)?.Offer.ToString());
    }

    private static InstanceLocation Stored(string transferSyntaxUid) => new()
    {
        InstanceKey = 1, SopClassUid = "1", SopInstanceUid = "2", StudyInstanceUid = "3", SeriesInstanceUid = "4", TransferSyntaxUid = transferSyntaxUid,
        Store = "files", StoreKey = "0", Offset = 0, Length = 1, DataSetOffset = 0, PixelDataOffset = -1, NumberOfFrames = 1,
    };
}
