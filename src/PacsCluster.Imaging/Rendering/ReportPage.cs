using System.Globalization;
using System.Net;
using System.Text;

namespace PacsCluster.Imaging.Rendering;

/// <summary>What <see cref="StructuredReport"/> writes to, in the order of the document. What is begun is ended.</summary>
internal abstract class ReportPage
{
    protected StringBuilder Written { get; } = new();

    public abstract void Begin(string title, string language);

    /// <summary>A line of the header.</summary>
    public abstract void Pair(string label, string value);

    public abstract void EndHeader();

    public abstract void BeginSection();

    public abstract void BeginHeading(int level);

    public abstract void EndHeading(int level);

    public abstract void EndSection();

    public abstract void BeginList();

    public abstract void BeginItem();

    public abstract void BeginLabel();

    public abstract void EndLabel();

    public abstract void EndItem();

    public abstract void EndList();

    public abstract void Text(string? text);

    /// <summary>Text with lines of its own.</summary>
    public abstract void Prose(string? text);

    /// <summary>What few readers need.</summary>
    public abstract void Aside(string? text);

    /// <summary>A code behind its meaning.</summary>
    public abstract void Code(string code);

    public abstract void Alert(string text);

    /// <summary>The whole.</summary>
    public abstract string End();
}

/// <summary>HTML; every text is escaped.</summary>
internal sealed class HtmlReportPage : ReportPage
{
    private const string Style = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}"
        + "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{font-weight:600}dd{margin:0}section{border-left:3px solid #bbb;padding-left:1rem}"
        + ".code,.ref{color:#555;font-size:.85em}.text{white-space:pre-wrap}";

    public override void Begin(string title, string language)
    {
        Raw("<!DOCTYPE html>\n<html lang=\"");
        Text(language);
        Raw("\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>");
        Text(title);
        Raw("</title><style>" + Style + "</style></head>\n<body><main><header><h1>");
        Text(title);
        Raw("</h1>\n<dl>");
    }

    public override void Pair(string label, string value)
    {
        Raw("<dt>" + label + "</dt><dd>");
        Text(value);
        Raw("</dd>\n");
    }

    public override void EndHeader() => Raw("</dl></header>\n");

    public override void BeginSection() => Raw("<section>");

    public override void BeginHeading(int level) => Raw("<" + Heading(level) + ">");

    public override void EndHeading(int level) => Raw("</" + Heading(level) + ">\n");

    public override void EndSection() => Raw("</section>\n");

    public override void BeginList() => Raw("<ul>\n");

    public override void BeginItem() => Raw("<li>");

    public override void BeginLabel() => Raw("<strong>");

    public override void EndLabel() => Raw("</strong>: ");

    public override void EndItem() => Raw("</li>\n");

    public override void EndList() => Raw("</ul>\n");

    public override void Text(string? text) => Raw(WebUtility.HtmlEncode(text));

    public override void Prose(string? text) => Span("text", text);

    public override void Aside(string? text) => Span("ref", text);

    public override void Code(string code)
    {
        Raw(" ");
        Span("code", "(" + code + ")");
    }

    public override void Alert(string text)
    {
        Raw("<p role=\"alert\">");
        Text(text);
        Raw("</p>");
    }

    public override string End()
    {
        Raw("</main></body></html>\n");
        return Written.ToString();
    }

    private static string Heading(int level) => "h" + Math.Min(level, 6).ToString(CultureInfo.InvariantCulture);

    private void Span(string kind, string? text)
    {
        Raw("<span class=\"" + kind + "\">");
        Text(text);
        Raw("</span>");
    }

    private void Raw(string? html) => Written.Append(html);
}

/// <summary>Plain text. Of what a value holds only line ends are kept among control characters: a terminal may be what reads it.</summary>
internal sealed class TextReportPage : ReportPage
{
    // Deeper ones stand no further in: a line has to keep room for its text.
    private const int IndentMax = 40;

    private int _depth;
    private bool _isFresh = true;

    public override void Begin(string title, string language)
    {
        Text(title);
        NewLine();
        Text(new string('=', Math.Clamp(title.Length, 1, 72)));
        NewLine();
    }

    public override void Pair(string label, string value)
    {
        Text(label + ": " + value);
        NewLine();
    }

    public override void EndHeader() { }

    public override void BeginSection()
    {
        NewLine();
        Written.Append('\n');
        _depth++;
    }

    // The heading stands where the section begins, what is in it further in.
    public override void BeginHeading(int level) => _depth--;

    public override void EndHeading(int level)
    {
        NewLine();
        _depth++;
    }

    public override void EndSection()
    {
        NewLine();
        _depth--;
    }

    public override void BeginList() => NewLine();

    public override void BeginItem()
    {
        NewLine();
        Text("- ");
        _depth++;
    }

    public override void BeginLabel() { }

    public override void EndLabel() => Text(": ");

    public override void EndItem()
    {
        NewLine();
        _depth--;
    }

    public override void EndList() => NewLine();

    public override void Text(string? text)
    {
        foreach (Rune rune in (text ?? "").ReplaceLineEndings("\n").EnumerateRunes())
        {
            if (rune.Value == '\n')
            {
                NewLine();
                continue;
            }
            if (_isFresh) Written.Append(' ', Math.Min(2 * _depth, IndentMax));
            _isFresh = false;
            if (rune.Value == '\t') Written.Append(' ');
            else if (!Rune.IsControl(rune)) Written.Append(rune.ToString());
        }
    }

    public override void Prose(string? text) => Text(text);

    public override void Aside(string? text) => Text(text);

    public override void Code(string code) => Text(" (" + code + ")");

    public override void Alert(string text)
    {
        NewLine();
        Text(text);
        NewLine();
    }

    public override string End()
    {
        NewLine();
        return Written.ToString();
    }

    private void NewLine()
    {
        if (_isFresh) return;
        while (Written[^1] == ' ') Written.Length--;
        Written.Append('\n');
        _isFresh = true;
    }
}
