using System.Numerics;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Lines, areas and text on a raster; coordinates in its pixels, (0, 0) the top left corner of the first one.</summary>
internal readonly struct Painter<T>(Raster<T> raster) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
{
    /// <summary>A line through points.</summary>
    public void Polyline(ReadOnlySpan<(double X, double Y)> points, double thickness, Ink<T> ink)
    {
        if (points.Length == 1) Line(points[0], points[0], thickness, ink);
        for (int i = 1; i < points.Length; i++) Line(points[i - 1], points[i], thickness, ink);
    }

    /// <summary>A straight line with round ends. What lies outside costs nothing.</summary>
    public void Line((double X, double Y) from, (double X, double Y) to, double thickness, Ink<T> ink)
    {
        double radius = Math.Max(thickness, 1) / 2;
        if (!Clip(ref from, ref to, radius)) return;
        double dx = to.X - from.X, dy = to.Y - from.Y, square = dx * dx + dy * dy;
        int top = Floor(Math.Min(from.Y, to.Y) - radius), bottom = Floor(Math.Max(from.Y, to.Y) + radius);
        for (int y = Math.Max(top, 0); y <= Math.Min(bottom, raster.Height - 1); y++)
        {
            // Only the part of the row that the line can touch.
            double low = from.X, high = to.X;
            if (Math.Abs(dy) > 1e-9)
            {
                double a = (y - radius - from.Y) / dy, b = (y + 1 + radius - from.Y) / dy;
                low = from.X + dx * Math.Clamp(Math.Min(a, b), 0, 1);
                high = from.X + dx * Math.Clamp(Math.Max(a, b), 0, 1);
            }
            int left = Floor(Math.Min(low, high) - radius - 1), right = Floor(Math.Max(low, high) + radius + 1);
            for (int x = Math.Max(left, 0); x <= Math.Min(right, raster.Width - 1); x++)
            {
                double px = x + 0.5 - from.X, py = y + 0.5 - from.Y;
                double along = square > 0 ? Math.Clamp((px * dx + py * dy) / square, 0, 1) : 0;
                double ex = px - along * dx, ey = py - along * dy;
                if (ex * ex + ey * ey <= radius * radius + 0.21) raster.Set(x, y, ink);
            }
        }
    }

    /// <summary>The area within a closed line (even-odd).</summary>
    public void Fill(ReadOnlySpan<(double X, double Y)> points, Ink<T> ink)
    {
        if (points.Length < 3) return;
        var crossings = new List<double>();
        for (int y = 0; y < raster.Height; y++)
        {
            Crossings(points, y + 0.5, crossings);
            for (int i = 0; i + 1 < crossings.Count; i += 2)
            {
                int left = (int)Math.Clamp(Math.Ceiling(crossings[i] - 0.5), 0, raster.Width), right = (int)Math.Clamp(Math.Floor(crossings[i + 1] - 0.5), -1, raster.Width - 1);
                for (int x = left; x <= right; x++) raster.Set(x, y, ink);
            }
        }
    }

    /// <summary>Where a horizontal line meets a closed line, from left to right.</summary>
    public static void Crossings(ReadOnlySpan<(double X, double Y)> points, double y, List<double> crossings)
    {
        crossings.Clear();
        for (int i = 0, j = points.Length - 1; i < points.Length; j = i++)
        {
            (double X, double Y) a = points[i], b = points[j];
            if (a.Y > y != b.Y > y) crossings.Add(a.X + (y - a.Y) / (b.Y - a.Y) * (b.X - a.X));
        }
        crossings.Sort();
    }

    /// <summary>A line of text with a border in the other tone, so that it can be read on any ground.</summary>
    /// <param name="text">One line.</param>
    /// <param name="x">Its left side.</param>
    /// <param name="y">Its baseline.</param>
    /// <param name="capHeight">Height of a capital.</param>
    /// <param name="ink">The text's.</param>
    /// <param name="border">The border's.</param>
    public void Text(string text, double x, double y, double capHeight, Ink<T> ink, Ink<T> border)
    {
        double scale = capHeight / StrokeFont.CapHeight, thickness = Math.Max(capHeight / 11, 1);
        Strokes(text, x, y, scale, thickness + 2, border);
        Strokes(text, x, y, scale, thickness, ink);
    }

    private void Strokes(string text, double x, double y, double scale, double thickness, Ink<T> ink)
    {
        foreach (StrokeFont.Glyph glyph in StrokeFont.Glyphs(text))
        {
            foreach (IReadOnlyList<(double X, double Y)> stroke in glyph.Strokes)
            {
                for (int i = 0; i < stroke.Count; i++)
                {
                    (double X, double Y) from = stroke[Math.Max(i - 1, 0)], to = stroke[i];
                    if (i > 0 || stroke.Count == 1) Line((x + from.X * scale, y + (from.Y - 9) * scale), (x + to.X * scale, y + (to.Y - 9) * scale), thickness, ink);
                }
            }
            x += glyph.Advance * scale;
        }
    }

    private static int Floor(double value) => (int)Math.Clamp(Math.Floor(value), -1_000_000, 1_000_000);

    /// <summary>Cuts a line at a frame around the raster (Liang and Barsky); false when none of it is left.</summary>
    private bool Clip(ref (double X, double Y) from, ref (double X, double Y) to, double margin)
    {
        if (!double.IsFinite(from.X + from.Y + to.X + to.Y)) return false;
        double begin = 0, end = 1, dx = to.X - from.X, dy = to.Y - from.Y;
        double outside = margin + 2;
        ReadOnlySpan<(double P, double Q)> edges =
        [
            (-dx, from.X + outside), (dx, raster.Width + outside - from.X), (-dy, from.Y + outside), (dy, raster.Height + outside - from.Y),
        ];
        foreach ((double p, double q) in edges)
        {
            if (p == 0)
            {
                if (q < 0) return false;
            }
            else if (p < 0) begin = Math.Max(begin, q / p);
            else end = Math.Min(end, q / p);
        }
        if (begin > end) return false;
        (double X, double Y) start = from;
        from = (start.X + begin * dx, start.Y + begin * dy);
        to = (start.X + end * dx, start.Y + end * dy);
        return true;
    }
}
