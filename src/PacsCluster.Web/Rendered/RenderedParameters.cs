using System.Globalization;
using Microsoft.AspNetCore.Http;
using PacsCluster.Imaging.Rendering;

namespace PacsCluster.Web;

/// <summary>Query parameters of rendered resources (PS3.18 8.3.5): viewport, window, quality, annotation, iccprofile; of ours: <c>presentationUID</c> (as in
/// WADO-URI) and <c>bits</c> (16 for a grey PNG of 16 bits).</summary>
/// <param name="Request">What the renderer needs; its presentation state is found later.</param>
/// <param name="Quality">Of a JPEG, 1 to 100.</param>
/// <param name="PresentationUid">SOP Instance UID of a presentation state to apply.</param>
internal sealed record RenderedParameters(RenderRequest Request, int Quality, string? PresentationUid)
{
    // A thumbnail that is larger is a picture, and not what is kept.
    private const int ThumbnailMax = 1024, ThumbnailDefault = 128, ThumbnailQuality = 80;
    private const int SideMax = 32768;

    /// <summary>Those of <c>rendered</c>.</summary>
    /// <exception cref="ProblemException">400: a parameter is not what PS3.18 says.</exception>
    public static RenderedParameters Read(IQueryCollection query, int pixelsMax)
    {
        var request = new RenderRequest
        {
            Viewport = One(query, "viewport") is { } viewport ? ReadViewport(viewport, mayHaveSource: true) : null,
            Window = One(query, "window") is { } window ? ReadWindow(window) : null,
            Annotations = ReadAnnotations(query["annotation"].ToString()),
            Icc = ReadIcc(One(query, "iccprofile")),
            Bits = One(query, "bits") switch { null or "8" => 8, "16" => 16, _ => throw Wrong("bits is neither 8 nor 16.", "Write bits=8 or, for a PNG of 16 bits, bits=16.") },
            PixelsMax = pixelsMax,
        };
        return Checked(new RenderedParameters(request, ReadQuality(One(query, "quality")), One(query, "presentationUID")));
    }

    /// <summary>Those of <c>thumbnail</c>: only the size.</summary>
    /// <exception cref="ProblemException">400: a parameter is not what PS3.18 says.</exception>
    public static RenderedParameters ReadThumbnail(IQueryCollection query, int pixelsMax)
    {
        Viewport viewport = One(query, "viewport") is { } text ? ReadViewport(text, mayHaveSource: false) : new Viewport(ThumbnailDefault, ThumbnailDefault);
        viewport = viewport with { Width = Math.Min(viewport.Width, ThumbnailMax), Height = Math.Min(viewport.Height, ThumbnailMax) };
        return new RenderedParameters(new RenderRequest { Viewport = viewport, Icc = IccChoice.No, PixelsMax = pixelsMax }, ThumbnailQuality, null);
    }

    /// <summary>Those of WADO-URI (PS3.18 9.4.1.2): rows and columns, region as fractions, windowCenter and windowWidth, imageQuality, annotation, presentationUID.</summary>
    /// <exception cref="ProblemException">400: a parameter is not what PS3.18 says.</exception>
    public static RenderedParameters ReadUri(IQueryCollection query, (int Columns, int Rows) frame, int pixelsMax)
    {
        double? center = Number("windowCenter"), width = Number("windowWidth");
        if (center is null != width is null) throw Wrong("One of windowCenter and windowWidth is missing.", "Write both or none.");
        double? rows = Number("rows"), columns = Number("columns");
        if (rows is < 1 or > SideMax || columns is < 1 or > SideMax) throw Wrong("rows or columns is out of range.", $"Write numbers from 1 to {SideMax}.");
        Viewport? viewport = rows is null && columns is null ? null : new Viewport((int)(columns ?? SideMax), (int)(rows ?? SideMax));
        if (One(query, "region") is { } region)
        {
            double[] r = Numbers(region, "region");
            if (r.Length != 4 || r.Any(v => v is < 0 or > 1) || r[2] <= r[0] || r[3] <= r[1]) throw Wrong("region is no part of the image.", "Write xmin,ymin,xmax,ymax as fractions from 0.0 to 1.0.");
            double across = (r[2] - r[0]) * frame.Columns, down = (r[3] - r[1]) * frame.Rows;
            viewport = (viewport ?? new Viewport(Math.Max((int)across, 1), Math.Max((int)down, 1))) with
            {
                SourceX = r[0] * frame.Columns, SourceY = r[1] * frame.Rows, SourceWidth = across, SourceHeight = down,
            };
        }
        var request = new RenderRequest
        {
            Viewport = viewport,
            Window = center is null ? null : Usable(new VoiWindow(center.Value, width!.Value)),
            Annotations = ReadAnnotations(query["annotation"].ToString()),
            PixelsMax = pixelsMax,
        };
        return Checked(new RenderedParameters(request, ReadQuality(One(query, "imageQuality")), One(query, "presentationUID")));

        double? Number(string name) => One(query, name) is { } text ? Numbers(text, name)[0] : null;
    }

    private static RenderedParameters Checked(RenderedParameters parameters) =>
        parameters.PresentationUid is null || parameters.Request.Viewport is not { HasSource: true } ? parameters
            : throw Wrong("A presentation state says itself which part of the image is shown.", "Write viewport=width,height without a part, or leave presentationUID out.");

    private static Viewport ReadViewport(string text, bool mayHaveSource)
    {
        string[] parts = text.Split(',');
        const string how = "Write viewport=width,height or viewport=width,height,x,y,regionwidth,regionheight; the last four may be empty.";
        if (parts.Length is not (2 or 6) || !mayHaveSource && parts.Length != 2) throw Wrong("viewport has a wrong number of values.", mayHaveSource ? how : "Write viewport=width,height.");
        double?[] v = [.. parts.Select(p => string.IsNullOrWhiteSpace(p) ? (double?)null : Numbers(p, "viewport")[0])];
        if (v[0] is not (>= 1 and <= SideMax) || v[1] is not (>= 1 and <= SideMax)) throw Wrong("The width or height of viewport is missing or out of range.", $"Write whole numbers from 1 to {SideMax}.");
        var viewport = new Viewport((int)v[0]!.Value, (int)v[1]!.Value);
        if (parts.Length == 2) return viewport;
        if (v[2] < 0 || v[3] < 0 || v[4] == 0 || v[5] == 0) throw Wrong("The region of viewport has a negative corner or no size.", how);
        return viewport with { SourceX = v[2], SourceY = v[3], SourceWidth = v[4], SourceHeight = v[5] };
    }

    private static VoiWindow ReadWindow(string text)
    {
        string[] parts = text.Split(',');
        if (parts.Length is not (2 or 3)) throw Wrong("window has a wrong number of values.", "Write window=center,width,function with linear, linear-exact or sigmoid.");
        VoiFunction function = VoiWindow.ParseFunction(parts.ElementAtOrDefault(2)) ?? throw Wrong("window names an unknown function.", "Write linear, linear-exact or sigmoid.");
        return Usable(new VoiWindow(Numbers(parts[0], "window")[0], Numbers(parts[1], "window")[0], function));
    }

    private static VoiWindow Usable(VoiWindow window) => window.IsUsable ? window : throw Wrong("The window is too narrow.", "Write a width of at least 1 for a linear window, of more than 0 for any other.");

    private static Annotations ReadAnnotations(string text)
    {
        Annotations all = Annotations.None;
        foreach (string one in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            all |= one switch { "patient" => Annotations.Patient, "technique" => Annotations.Technique, _ => throw Wrong("annotation names something unknown.", "Write patient, technique or both with a comma.") };
        }
        return all;
    }

    private static IccChoice ReadIcc(string? text) => text switch
    {
        null => IccChoice.AsStored, "no" => IccChoice.No, "yes" => IccChoice.Yes, "srgb" => IccChoice.Srgb, "adobergb" => IccChoice.AdobeRgb, "rommrgb" => IccChoice.RommRgb,
        "displayp3" => IccChoice.DisplayP3, _ => throw Wrong("iccprofile names something unknown.", "Write no, yes, srgb, adobergb, rommrgb or displayp3."),
    };

    private static int ReadQuality(string? text)
    {
        if (text is null) return PictureWriter.DefaultQuality;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int quality) && quality is >= 1 and <= 100 ? quality : throw Wrong("The quality is out of range.", "Write a whole number from 1 to 100.");
    }

    private static double[] Numbers(string text, string name)
    {
        string[] parts = text.Split(',');
        double[] numbers = new double[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!double.TryParse(parts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i]) || !double.IsFinite(numbers[i])) throw Wrong($"{name} holds something that is no number.", "Write decimal numbers with a point.");
        }
        return numbers;
    }

    private static string? One(IQueryCollection query, string name) => query[name].ToString() is { Length: > 0 } value ? value : null;

    private static ProblemException Wrong(string detail, string next) => new(Problem.BadRequest(detail, next));
}
