using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace PacsCluster.Web;

/// <summary>A media range with its weight.</summary>
/// <param name="Range">The range; <c>q</c> is still among its parameters.</param>
/// <param name="Weight">0 to 1; 0 means "not this".</param>
internal readonly record struct AcceptedRange(MediaType Range, double Weight)
{
    // PS3.18 8.7.8 follows RFC 9110 12.5.1: more specific ranges come first among equal weights.
    internal int Specificity => Range.Type == "*" ? 0 : Range.Subtype == "*" ? 1 : 2 + Range.Parameters.Count(p => p.Key != "q");
}

/// <summary>What the client accepts (PS3.18 8.7.5): the <c>accept</c> query parameter, which goes first, and the Accept header.</summary>
internal sealed class AcceptedTypes
{
    private static readonly AcceptedRange s_anything = new(new MediaType("*", "*", []), 1);

    private readonly IReadOnlyList<AcceptedRange> _query;
    private readonly IReadOnlyList<AcceptedRange> _header;

    private AcceptedTypes(IReadOnlyList<AcceptedRange> query, IReadOnlyList<AcceptedRange> header) => (_query, _header) = (query, header);

    /// <summary>Reads a request. Without an Accept header anything is accepted (RFC 9110 12.5.1).</summary>
    public static AcceptedTypes Of(HttpRequest request) => Of(request.Query["accept"].Select(Mend), request.Headers.Accept);

    // A plus sign that was not percent-encoded arrives as a space.
    private static string? Mend(string? value) => value?.Replace("dicom json", "dicom+json", StringComparison.Ordinal).Replace("dicom xml", "dicom+xml", StringComparison.Ordinal);

    /// <summary>Reads the values of the query parameter and of the header.</summary>
    public static AcceptedTypes Of(IEnumerable<string?> query, IEnumerable<string?> header)
    {
        List<AcceptedRange> ranges = Read(header);
        return new AcceptedTypes(Read(query), ranges.Count > 0 ? ranges : [s_anything]);
    }

    /// <summary>Selects among what is on offer by PS3.18 8.7.8: the best range of the query parameter that the header does not exclude; else the best range
    /// of the header. Among the offers of one range the first wins, so the default comes first.</summary>
    /// <returns>Null: nothing on offer is acceptable (406).</returns>
    public Selection? Select(IReadOnlyList<Offer> offers)
    {
        if (_query.Count > 0)
        {
            Offer[] open = [.. offers.Where(offer => Weight(_header, offer) > 0)];
            if (Select(_query, open) is { } chosen) return chosen;
        }
        return Select(_header, offers);
    }

    private static Selection? Select(IReadOnlyList<AcceptedRange> ranges, IReadOnlyList<Offer> offers)
    {
        foreach (AcceptedRange range in ranges)
        {
            if (range.Weight == 0) break;
            foreach (Offer offer in offers)
            {
                if (!offer.Fits(range.Range) || Weight(ranges, offer) == 0) continue;
                return new Selection(offer, TransferSyntaxes(ranges, offer));
            }
        }
        return null;
    }

    /// <summary>What the most specific fitting range says of an offer: <c>*/*, image/jpeg;q=0</c> takes anything else.</summary>
    private static double Weight(IReadOnlyList<AcceptedRange> ranges, Offer offer)
    {
        AcceptedRange? best = null;
        foreach (AcceptedRange range in ranges)
        {
            if (offer.Fits(range.Range) && (best is null || range.Specificity > best.Value.Specificity)) best = range;
        }
        return best?.Weight ?? 0;
    }

    private static List<AcceptedTransferSyntax> TransferSyntaxes(IReadOnlyList<AcceptedRange> ranges, Offer offer)
    {
        List<AcceptedTransferSyntax> all = [];
        foreach (AcceptedRange range in ranges)
        {
            if (range.Weight == 0 || !offer.Fits(range.Range)) continue;
            all.Add(new AcceptedTransferSyntax(Offer.TransferSyntaxOf(range.Range), range.Weight));
        }
        return all;
    }

    private static List<AcceptedRange> Read(IEnumerable<string?> values)
    {
        List<AcceptedRange> ranges = [];
        foreach (string? value in values)
        {
            if (value is not null) ranges.AddRange(MediaType.ParseList(value).Select(range => new AcceptedRange(range, WeightOf(range))));
        }
        // A stable sort: among equals the order of the client stands.
        return [.. ranges.OrderByDescending(range => range.Weight).ThenByDescending(range => range.Specificity)];
    }

    private static double WeightOf(MediaType range) => range["q"] is { } text && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double q)
        ? Math.Clamp(q, 0, 1)
        : 1;
}

/// <summary>What a resource can be answered with.</summary>
/// <param name="Essence">E.g. <c>application/dicom</c>: of the parts, when they come in parts.</param>
/// <param name="InParts">As <c>multipart/related</c>.</param>
/// <param name="TransferSyntaxUid">The transfer syntax of what would be sent, for pixel data; null where the resource chooses one for each instance, or
/// has none.</param>
/// <param name="IsDefault">What a range without a transfer syntax means. Else the range must name it, or <c>*</c>.</param>
/// <param name="OnlyByName">Only for who names the transfer syntax: <c>*</c> does not ask for it.</param>
internal sealed record Offer(string Essence, bool InParts = false, string? TransferSyntaxUid = null, bool IsDefault = true, bool OnlyByName = false)
{
    /// <summary>A media range accepts this. A <c>multipart/related</c> range that names no type accepts parts of any type. Text, JSON and XML are in UTF-8, so a
    /// range that wants another charset does not fit.</summary>
    public bool Fits(MediaType range)
    {
        MediaType? inner = range;
        if (InParts && range.Type != "*")
        {
            if (range.Type != "multipart" || range.Subtype is not ("related" or "*")) return false;
            inner = range.PartType;
        }
        if (inner is not null && !FitsEssence(inner)) return false;
        if (TransferSyntaxUid is null) return true;
        return TransferSyntaxOf(range) switch { null => IsDefault, "*" => !OnlyByName, var uid => uid == TransferSyntaxUid };
    }

    /// <summary>What a range says of the transfer syntax; null when nothing.</summary>
    public static string? TransferSyntaxOf(MediaType range) => (range["transfer-syntax"] ?? range.PartType?["transfer-syntax"]) is { Length: > 0 } uid ? uid : null;

    private bool FitsEssence(MediaType range)
    {
        if (range.Type == "*") return true;
        int slash = Essence.IndexOf('/', StringComparison.Ordinal);
        if (!Essence.AsSpan(0, slash).SequenceEqual(range.Type)) return false;
        if (range.Subtype != "*" && !Essence.AsSpan(slash + 1).Equals(range.Subtype, StringComparison.OrdinalIgnoreCase)) return false;
        bool isText = Essence.StartsWith("text/", StringComparison.Ordinal) || Essence.EndsWith("json", StringComparison.Ordinal) || Essence.EndsWith("xml", StringComparison.Ordinal);
        return !isText || range["charset"] is not { } charset || charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>As the Content-Type of one part, or of the whole when it is no multipart.</summary>
    public string ContentType => TransferSyntaxUid is null ? Essence : $"{Essence}; transfer-syntax={TransferSyntaxUid}";

    /// <summary>As a media type in words, for a list of what is on offer.</summary>
    public override string ToString() => InParts
        ? $"multipart/related; type=\"{Essence}\"{(TransferSyntaxUid is null ? "" : $"; transfer-syntax={TransferSyntaxUid}")}"
        : ContentType;
}

/// <summary>A transfer syntax that the client takes for the selected offer.</summary>
/// <param name="Uid">Its UID, <c>*</c> for whatever is stored, null when the client says none: then the default of PS3.18 8.7.3 applies.</param>
/// <param name="Weight">Its range's weight.</param>
internal readonly record struct AcceptedTransferSyntax(string? Uid, double Weight);

/// <summary>What was selected.</summary>
/// <param name="Offer">The offer.</param>
/// <param name="TransferSyntaxes">What the client said of transfer syntaxes for it, best first; never empty.</param>
internal sealed record Selection(Offer Offer, IReadOnlyList<AcceptedTransferSyntax> TransferSyntaxes);
