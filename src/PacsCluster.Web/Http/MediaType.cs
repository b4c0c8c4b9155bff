using System.Text;

namespace PacsCluster.Web;

/// <summary>A media type or media range (RFC 9110 8.3.1, 12.5.1) with its parameters. Type, subtype and parameter names are lower case; values as sent.</summary>
/// <param name="Type">E.g. <c>multipart</c>, or <c>*</c>.</param>
/// <param name="Subtype">E.g. <c>related</c>, or <c>*</c>.</param>
/// <param name="Parameters">In order, quotes removed.</param>
internal sealed record MediaType(string Type, string Subtype, IReadOnlyList<KeyValuePair<string, string>> Parameters)
{
    /// <summary><c>type/subtype</c> without parameters.</summary>
    public string Essence => Type + "/" + Subtype;

    /// <summary>Is <c>multipart/related</c>.</summary>
    public bool IsMultipartRelated => Type == "multipart" && Subtype == "related";

    /// <summary>The value of the first parameter of a (lower case) name; null without one.</summary>
    public string? this[string name]
    {
        get
        {
            foreach ((string key, string value) in Parameters)
            {
                if (key == name) return value;
            }
            return null;
        }
    }

    /// <summary>The media type in the <c>type</c> parameter of <c>multipart/related</c> (RFC 2387); null without one or when it is none.</summary>
    public MediaType? PartType => this["type"] is { } part && TryParse(part, out MediaType? type) ? type : null;

    /// <summary>Parses one media type. Lenient in what real clients send (C-72): values that need quotes and have none run to the next semicolon, spaces
    /// stand anywhere, parameters without a value or a name are passed over.</summary>
    /// <returns>False when there is no <c>type/subtype</c>.</returns>
    public static bool TryParse(string? text, out MediaType? mediaType)
    {
        mediaType = null;
        if (text is null) return false;
        int at = 0;
        mediaType = Read(text, ref at, isList: false);
        return mediaType is not null;
    }

    /// <summary>Parses a comma-separated list, as in Accept; what is no media type is passed over.</summary>
    public static List<MediaType> ParseList(string text)
    {
        List<MediaType> all = [];
        for (int at = 0; at < text.Length; at++)
        {
            if (Read(text, ref at, isList: true) is { } one) all.Add(one);
            // A comma that Read did not reach stands behind what was no media type.
            while (at < text.Length && text[at] != ',') at++;
        }
        return all;
    }

    /// <summary>As it goes out: values that are no tokens, and <c>type</c> always, in quotes (C-72).</summary>
    public override string ToString()
    {
        var text = new StringBuilder(Essence, 64);
        foreach ((string name, string value) in Parameters)
        {
            text.Append("; ").Append(name).Append('=');
            if (name != "type" && IsToken(value)) text.Append(value);
            else text.Append('"').Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
        }
        return text.ToString();
    }

    private static MediaType? Read(string text, ref int at, bool isList)
    {
        string essence = Until(text, ref at, isList);
        int slash = essence.IndexOf('/', StringComparison.Ordinal);
        // Some clients write a lone asterisk for anything.
        (string type, string subtype) = slash < 0 ? (essence == "*" ? ("*", "*") : ("", "")) : (essence[..slash].Trim(), essence[(slash + 1)..].Trim());
        List<KeyValuePair<string, string>>? parameters = null;
        while (at < text.Length && text[at] == ';')
        {
            at++;
            string name = Name(text, ref at, isList);
            if (at >= text.Length || text[at] != '=') continue;
            at++;
            string value = Value(text, ref at, isList);
            if (name.Length > 0) (parameters ??= []).Add(new(name, value));
        }
        if (!IsToken(type) || !IsToken(subtype)) return null;
        return new MediaType(type.ToLowerInvariant(), subtype.ToLowerInvariant(), parameters ?? (IReadOnlyList<KeyValuePair<string, string>>)[]);
    }

    private static string Until(string text, ref int at, bool isList)
    {
        int from = at;
        while (at < text.Length && text[at] != ';' && !(isList && text[at] == ',')) at++;
        return text[from..at].Trim();
    }

    private static string Name(string text, ref int at, bool isList)
    {
        int from = at;
        while (at < text.Length && text[at] is not (';' or '=') && !(isList && text[at] == ',')) at++;
        return text[from..at].Trim().ToLowerInvariant();
    }

    private static string Value(string text, ref int at, bool isList)
    {
        while (at < text.Length && text[at] is ' ' or '\t') at++;
        if (at >= text.Length || text[at] != '"') return Until(text, ref at, isList);
        var value = new StringBuilder();
        for (at++; at < text.Length && text[at] != '"'; at++)
        {
            if (text[at] == '\\' && at + 1 < text.Length) at++;
            value.Append(text[at]);
        }
        // Behind the closing quote, or where it is missing.
        Until(text, ref at, isList);
        return value.ToString();
    }

    private static bool IsToken(string text)
    {
        if (text.Length == 0) return false;
        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal)) return false;
        }
        return true;
    }
}
