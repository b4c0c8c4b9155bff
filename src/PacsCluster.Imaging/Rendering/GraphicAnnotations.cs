using System.Numerics;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Graphic and text objects of a presentation state (PS3.3 C.10.5), drawn in layer order.</summary>
internal static class GraphicAnnotations
{
    private const int CirclePoints = 96;
    // A hostile state could hold millions of objects and points; nobody can see more than these.
    private const int ObjectsMax = 2_000, PointsMax = 50_000, TextLengthMax = 2_000;

    /// <summary>Draws what applies to a frame.</summary>
    public static void Draw<T>(Raster<T> raster, View view, PresentationState state, string? sopInstanceUid, int frameNumber)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        var painter = new Painter<T>(raster);
        double thickness = Math.Max(1, Math.Min(raster.Width, raster.Height) / 400.0);
        int objects = ObjectsMax, points = PointsMax;
        foreach ((DataSet item, GraphicLayer? layer) in InOrder(state, sopInstanceUid, frameNumber))
        {
            Ink<T> ink = Ink<T>.Of(layer?.Gray ?? 1, layer?.Color);
            foreach (DataSet graphic in item.GetItems(Tags.GraphicObjectSequence))
            {
                if (--objects >= 0) DrawGraphic(painter, view, graphic, ref points, thickness, ink);
            }
            foreach (DataSet text in item.GetItems(Tags.TextObjectSequence))
            {
                if (--objects >= 0) DrawText(painter, raster, view, text, thickness, ink);
            }
        }
    }

    private static IEnumerable<(DataSet Item, GraphicLayer? Layer)> InOrder(PresentationState state, string? sopInstanceUid, int frameNumber) =>
        from item in state.DataSet.GetItems(Tags.GraphicAnnotationSequence)
        where PresentationState.AppliesTo(item, sopInstanceUid, frameNumber)
        let layer = item.GetString(Tags.GraphicLayer) is { } name ? state.Layers.GetValueOrDefault(name) : null
        orderby layer?.Order ?? 0
        select (item, layer);

    private static void DrawGraphic<T>(Painter<T> painter, View view, DataSet graphic, ref int pointsLeft, double thickness, Ink<T> ink)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        (double X, double Y)[] points = Points(graphic.Doubles(Tags.GraphicData), pointsLeft);
        pointsLeft -= points.Length;
        if (points.Length == 0) return;
        points = graphic.GetString(Tags.GraphicType) switch
        {
            "CIRCLE" when points.Length >= 2 => Ellipse(points[0], (points[1].X - points[0].X, points[1].Y - points[0].Y),
                (points[0].Y - points[1].Y, points[1].X - points[0].X)),
            "ELLIPSE" when points.Length >= 4 => Ellipse(Middle(points[0], points[1]), Half(points[0], points[1]), Half(points[2], points[3])),
            "INTERPOLATED" => Spline(points),
            "POINT" => points[..1],
            _ => points,
        };
        bool isDisplay = graphic.GetString(Tags.GraphicAnnotationUnits) == "DISPLAY";
        (double X, double Y)[] placed = Array.ConvertAll(points, p => Place(view, isDisplay, p));
        if (graphic.GetString(Tags.GraphicFilled) == "Y") painter.Fill(placed, ink);
        if (placed.Length > 1)
        {
            painter.Polyline(placed, thickness, ink);
            return;
        }
        // A point that is one pixel is not seen.
        (double x, double y) = placed[0];
        painter.Line((x - 3 * thickness, y), (x + 3 * thickness, y), thickness, ink);
        painter.Line((x, y - 3 * thickness), (x, y + 3 * thickness), thickness, ink);
    }

    private static void DrawText<T>(Painter<T> painter, Raster<T> raster, View view, DataSet text, double thickness, Ink<T> ink)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        string value = text.GetString(Tags.UnformattedTextValue) ?? "";
        string[] lines = value[..Math.Min(value.Length, TextLengthMax)].ReplaceLineEndings("\n").Split('\n');
        double capHeight = AnnotationText.CapHeight(raster.Height), step = capHeight * StrokeFont.LineHeight / StrokeFont.CapHeight;
        double width = lines.Max(StrokeFont.Measure) * capHeight / StrokeFont.CapHeight;
        (double X, double Y)? anchor = null;
        if (text.Doubles(Tags.AnchorPoint) is [var ax, var ay]) anchor = Place(view, text.GetString(Tags.AnchorPointAnnotationUnits) == "DISPLAY", (ax, ay));
        double left, right, top;
        if (text.Doubles(Tags.BoundingBoxTopLeftHandCorner) is [var x0, var y0] && text.Doubles(Tags.BoundingBoxBottomRightHandCorner) is [var x1, var y1])
        {
            bool isDisplay = text.GetString(Tags.BoundingBoxAnnotationUnits) == "DISPLAY";
            (double X, double Y) a = Place(view, isDisplay, (x0, y0)), b = Place(view, isDisplay, (x1, y1));
            (left, right, top) = (Math.Min(a.X, b.X), Math.Max(a.X, b.X), Math.Min(a.Y, b.Y));
            if (anchor is { } shown && text.GetString(Tags.AnchorPointVisibility) == "Y")
                painter.Line(shown, (Math.Clamp(shown.X, left, right), Math.Clamp(shown.Y, top, Math.Max(a.Y, b.Y))), thickness, ink);
        }
        else if (anchor is { } at)
        {
            (left, right, top) = (at.X + capHeight / 2, at.X + capHeight / 2 + width, at.Y);
            if (text.GetString(Tags.AnchorPointVisibility) == "Y") painter.Line(at, (left, at.Y + capHeight), thickness, ink);
        }
        else return;
        string? justification = text.GetString(Tags.BoundingBoxTextHorizontalJustification);
        // Readable on any ground, whatever tone the layer recommends.
        Ink<T> border = Ink<T>.Of(ink.Gray > T.MaxValue >> 1 ? 0 : 1);
        for (int i = 0; i < lines.Length; i++)
        {
            double length = StrokeFont.Measure(lines[i]) * capHeight / StrokeFont.CapHeight;
            double x = justification switch { "RIGHT" => right - length, "CENTER" => (left + right - length) / 2, _ => left };
            painter.Text(lines[i], x, top + capHeight + i * step, capHeight, ink, border);
        }
    }

    private static (double X, double Y) Place(View view, bool isDisplay, (double X, double Y) point) =>
        isDisplay ? view.OfDisplay(point.X, point.Y) : view.OfPixel(point.X, point.Y);

    private static (double, double)[] Points(double[] numbers, int most)
    {
        var points = new (double, double)[Math.Min(numbers.Length / 2, most)];
        for (int i = 0; i < points.Length; i++) points[i] = (numbers[2 * i], numbers[2 * i + 1]);
        return points;
    }

    private static (double, double) Middle((double X, double Y) a, (double X, double Y) b) => ((a.X + b.X) / 2, (a.Y + b.Y) / 2);

    private static (double, double) Half((double X, double Y) a, (double X, double Y) b) => ((b.X - a.X) / 2, (b.Y - a.Y) / 2);

    private static (double, double)[] Ellipse((double X, double Y) center, (double X, double Y) one, (double X, double Y) other)
    {
        var points = new (double, double)[CirclePoints + 1];
        for (int i = 0; i < points.Length; i++)
        {
            (double sin, double cos) = Math.SinCos(i * 2 * Math.PI / CirclePoints);
            points[i] = (center.X + cos * one.X + sin * other.X, center.Y + cos * one.Y + sin * other.Y);
        }
        return points;
    }

    /// <summary>A smooth line through all points (Catmull and Rom); PS3.3 leaves the kind to the implementation.</summary>
    private static (double, double)[] Spline((double X, double Y)[] points)
    {
        if (points.Length < 3) return points;
        const int steps = 8;
        bool isClosed = points[0] == points[^1];
        var line = new List<(double, double)> { points[0] };
        for (int i = 0; i + 1 < points.Length; i++)
        {
            (double X, double Y) a = i > 0 ? points[i - 1] : isClosed ? points[^2] : points[0], b = points[i], c = points[i + 1];
            (double X, double Y) d = i + 2 < points.Length ? points[i + 2] : isClosed ? points[1] : points[^1];
            for (int s = 1; s <= steps; s++)
            {
                double t = (double)s / steps;
                line.Add((Between(a.X, b.X, c.X, d.X, t), Between(a.Y, b.Y, c.Y, d.Y, t)));
            }
        }
        return [.. line];
    }

    private static double Between(double a, double b, double c, double d, double t) =>
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t);
}
