using System.Net;
using System.Text;

namespace PacsCluster.Server.Conformance;

/// <summary>A plain HTML document of headings, paragraphs and tables. Every text is encoded here.</summary>
internal sealed class HtmlText(string title)
{
    private const string Style = """
        :root { color-scheme: light dark } body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
        table { border-collapse: collapse; width: 100%; margin: 1rem 0 } th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border: 1px solid #8886 }
        th { font-weight: 600 } code { font-size: .95em } h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886 } @media print { body { max-width: none } }
        """;

    private readonly StringBuilder _body = new();

    /// <summary>A heading of level 1 to 4.</summary>
    public HtmlText Heading(int level, string text)
    {
        _body.Append('<').Append('h').Append(level).Append('>').Append(Encode(text)).Append("</h").Append(level).AppendLine(">");
        return this;
    }

    /// <summary>A paragraph.</summary>
    public HtmlText Text(string text)
    {
        _body.Append("<p>").Append(Encode(text)).AppendLine("</p>");
        return this;
    }

    /// <summary>A table; every row has as many cells as there are columns.</summary>
    public HtmlText Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        _body.Append("<table><thead><tr>");
        foreach (string column in columns) _body.Append("<th scope=\"col\">").Append(Encode(column)).Append("</th>");
        _body.AppendLine("</tr></thead><tbody>");
        foreach (IReadOnlyList<string> row in rows)
        {
            _body.Append("<tr>");
            foreach (string cell in row) _body.Append("<td>").Append(Encode(cell)).Append("</td>");
            _body.AppendLine("</tr>");
        }
        _body.AppendLine("</tbody></table>");
        return this;
    }

    /// <summary>The document.</summary>
    public override string ToString() =>
        $"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{Encode(title)}</title><style>{Style}</style></head><body>\n{_body}</body></html>\n";

    private static string Encode(string text) => WebUtility.HtmlEncode(text);
}
