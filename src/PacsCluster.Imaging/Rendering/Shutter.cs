using System.Numerics;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Display Shutter (PS3.3 C.7.6.11) and Bitmap Display Shutter (C.7.6.15): what is covered, and with which tone.</summary>
internal sealed class Shutter
{
    private readonly (double Left, double Right, double Upper, double Lower)? _rectangle;
    private readonly (double X, double Y, double Radius)? _circle;
    private readonly (double X, double Y)[]? _polygon;
    private readonly Overlay? _bitmap;
    private readonly double _gray;
    private readonly (double, double, double)? _color;

    private Shutter(DataSet dataSet, string[] shapes, Overlay? bitmap)
    {
        // Lines and columns count from 1, so that (1, 1) is the middle of the first pixel.
        if (shapes.Contains("RECTANGULAR") && dataSet.GetDouble(Tags.ShutterLeftVerticalEdge) is { } left && dataSet.GetDouble(Tags.ShutterRightVerticalEdge) is { } right
            && dataSet.GetDouble(Tags.ShutterUpperHorizontalEdge) is { } upper && dataSet.GetDouble(Tags.ShutterLowerHorizontalEdge) is { } lower)
            _rectangle = (left, right, upper, lower);
        if (shapes.Contains("CIRCULAR") && dataSet.Doubles(Tags.CenterOfCircularShutter) is [var row, var column] && dataSet.GetDouble(Tags.RadiusOfCircularShutter) is { } radius)
            _circle = (column, row, radius);
        if (shapes.Contains("POLYGONAL") && dataSet.Doubles(Tags.VerticesOfThePolygonalShutter) is { Length: >= 6 } vertices)
        {
            _polygon = new (double, double)[vertices.Length / 2];
            for (int i = 0; i < _polygon.Length; i++) _polygon[i] = (vertices[2 * i + 1], vertices[2 * i]);
        }
        _bitmap = bitmap;
        _gray = (dataSet.GetInt32(Tags.ShutterPresentationValue) ?? 0) / 65535.0;
        _color = CieLab.Read(dataSet, Tags.ShutterPresentationColorCIELabValue);
    }

    /// <summary>That of an image or presentation state; null when it has none.</summary>
    /// <param name="dataSet">Image or presentation state.</param>
    /// <param name="overlays">Planes that a bitmap shutter may be one of.</param>
    public static Shutter? Read(DataSet dataSet, IReadOnlyList<Overlay> overlays)
    {
        string[] shapes = dataSet.GetStrings(Tags.ShutterShape);
        if (shapes.Length == 0) return null;
        Overlay? bitmap = shapes.Contains("BITMAP") ? overlays.FirstOrDefault(o => o.Group == dataSet.GetInt32(Tags.ShutterOverlayGroup)) : null;
        return new Shutter(dataSet, shapes, bitmap);
    }

    /// <summary>The overlay group that is a shutter, and so is not drawn.</summary>
    public int? BitmapGroup => _bitmap?.Group;

    /// <summary>Covers what is not to be seen; the raster is a region of the frame.</summary>
    public void Cover<T>(Raster<T> raster, PixelRegion region) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        Ink<T> ink = Ink<T>.Of(_gray, _color);
        var crossings = new List<double>();
        for (int y = 0; y < raster.Height; y++)
        {
            double row = region.Y + y + 1;
            if (_polygon is { } polygon) Painter<T>.Crossings(polygon, row, crossings);
            for (int x = 0; x < raster.Width; x++)
            {
                if (IsCovered(region.X + x + 1, row, crossings)) raster.Set(x, y, ink);
            }
        }
    }

    private bool IsCovered(double column, double row, List<double> crossings)
    {
        if (_rectangle is { } r && (column < r.Left || column > r.Right || row < r.Upper || row > r.Lower)) return true;
        if (_circle is { } c && (column - c.X) * (column - c.X) + (row - c.Y) * (row - c.Y) > c.Radius * c.Radius) return true;
        if (_polygon is not null && !IsWithin(column, crossings)) return true;
        return _bitmap is { } bitmap && bitmap[(int)column - 1, (int)row - 1];
    }

    private static bool IsWithin(double column, List<double> crossings)
    {
        bool within = false;
        foreach (double crossing in crossings)
        {
            if (crossing > column) break;
            within = !within;
        }
        return within;
    }
}
