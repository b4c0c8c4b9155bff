using System.Buffers.Binary;
using System.Text;

namespace PacsCluster.Imaging.Rendering;

/// <summary>An RGB colour space of three primaries and a curve each, relative to D50 (ICC.1 annex F.3).</summary>
internal sealed class RgbSpace
{
    private const int CurveLength = 256, InverseLength = 4096;
    private readonly string _name;
    private readonly double[] _matrix;
    private readonly double[][] _curves;
    // Parameters of the type 3 curve: gamma, a, b, c, d.
    private readonly double[]? _parameters;

    private RgbSpace(string name, double[] matrix, double[][] curves, double[]? parameters)
    {
        _name = name;
        _matrix = matrix;
        _curves = curves;
        _parameters = parameters;
    }

    /// <summary>IEC 61966-2-1.</summary>
    public static RgbSpace Srgb { get; } = Known("sRGB IEC61966-2.1",
        [0.4360747, 0.3850649, 0.1430804, 0.2225045, 0.7168786, 0.0606169, 0.0139322, 0.0971045, 0.7141733], [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]);

    /// <summary>Adobe RGB (1998).</summary>
    public static RgbSpace AdobeRgb { get; } = Known("Adobe RGB (1998) compatible",
        [0.6097559, 0.2052401, 0.1492240, 0.3111242, 0.6256560, 0.0632197, 0.0194811, 0.0608902, 0.7448387], [563.0 / 256, 1, 0, 0, 0]);

    /// <summary>ROMM RGB (ISO 22028-2).</summary>
    public static RgbSpace RommRgb { get; } = Known("ROMM RGB",
        [0.7976749, 0.1351917, 0.0313534, 0.2880402, 0.7118741, 0.0000857, 0, 0, 0.8252100], [1.8, 1, 0, 1.0 / 16, 0.031248]);

    /// <summary>Display P3.</summary>
    public static RgbSpace DisplayP3 { get; } = Known("Display P3",
        [0.515102, 0.291965, 0.157153, 0.241182, 0.692236, 0.066581, -0.001050, 0.041879, 0.784072], [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]);

    private static RgbSpace Known(string name, double[] matrix, double[] parameters)
    {
        double[] curve = Sample(x => Parametric(parameters, x));
        return new RgbSpace(name, matrix, [curve, curve, curve], parameters);
    }

    /// <summary>Reads a profile; null when it has no primaries and curves.</summary>
    public static RgbSpace? Read(ReadOnlySpan<byte> profile)
    {
        double[] matrix = new double[9];
        double[][] curves = new double[3][];
        ReadOnlySpan<byte> letters = "rgb"u8;
        for (int i = 0; i < 3; i++)
        {
            ReadOnlySpan<byte> color = Find(profile, letters[i], "XYZ"u8), curve = Find(profile, letters[i], "TRC"u8);
            if (color.Length < 20 || ReadCurve(curve) is not { } sampled) return null;
            for (int row = 0; row < 3; row++) matrix[3 * row + i] = BinaryPrimitives.ReadInt32BigEndian(color[(8 + 4 * row)..]) / 65536.0;
            curves[i] = sampled;
        }
        return new RgbSpace("", matrix, curves, null);
    }

    /// <summary>Takes colours to another space; what it cannot hold is clipped.</summary>
    public void Convert(Span<byte> pixels, RgbSpace target)
    {
        double[] m = Multiply(Invert3(target._matrix), _matrix);
        byte[][] encode = Array.ConvertAll(target._curves, Invert);
        double[] r = _curves[0], g = _curves[1], b = _curves[2];
        for (int i = 0; i + 2 < pixels.Length; i += 3)
        {
            double red = r[pixels[i]], green = g[pixels[i + 1]], blue = b[pixels[i + 2]];
            for (int c = 0; c < 3; c++)
            {
                double linear = m[3 * c] * red + m[3 * c + 1] * green + m[3 * c + 2] * blue;
                pixels[i + c] = encode[c][(int)(Math.Sqrt(Math.Clamp(linear, 0, 1)) * (InverseLength - 1) + 0.5)];
            }
        }
    }

    /// <summary>A profile of version 4 of a known space, some 550 bytes.</summary>
    public byte[] ToProfile()
    {
        byte[] parametric = new byte[12 + 4 * _parameters!.Length];
        "para"u8.CopyTo(parametric);
        parametric[9] = 3;
        for (int i = 0; i < _parameters.Length; i++) Fixed(parametric.AsSpan(12 + 4 * i), _parameters[i]);
        // Bradford, from D65 to D50; ROMM has D50 by itself.
        double[] adaptation = this == RommRgb ? [1, 0, 0, 0, 1, 0, 0, 0, 1]
            : [1.0478112, 0.0228866, -0.0501270, 0.0295424, 0.9904844, -0.0170491, -0.0092345, 0.0150436, 0.7521316];
        (string Name, byte[] Value)[] tags =
        [
            ("desc", Text(_name)), ("cprt", Text("CC0")), ("wtpt", Numbers("XYZ ", 0.9642, 1, 0.8249)), ("chad", Numbers("sf32", adaptation)),
            ("rXYZ", Column(0)), ("gXYZ", Column(1)), ("bXYZ", Column(2)), ("rTRC", parametric), ("gTRC", parametric), ("bTRC", parametric),
        ];
        int at = 132 + 12 * tags.Length;
        byte[] profile = new byte[at + tags.Where((t, i) => i < 8).Sum(t => t.Value.Length + 3 & ~3)];
        BinaryPrimitives.WriteInt32BigEndian(profile, profile.Length);
        BinaryPrimitives.WriteUInt32BigEndian(profile.AsSpan(8), 0x04200000);
        "mntrRGB XYZ "u8.CopyTo(profile.AsSpan(12));
        // A fixed date: the same profile is the same bytes.
        BinaryPrimitives.WriteUInt64BigEndian(profile.AsSpan(24), 0x07EA_0001_0001_0000);
        "acsp"u8.CopyTo(profile.AsSpan(36));
        Numbers("XYZ ", 0.9642, 1, 0.8249).AsSpan(8).CopyTo(profile.AsSpan(68));
        BinaryPrimitives.WriteInt32BigEndian(profile.AsSpan(128), tags.Length);
        int curveAt = 0;
        for (int i = 0; i < tags.Length; i++)
        {
            Span<byte> entry = profile.AsSpan(132 + 12 * i);
            Encoding.ASCII.GetBytes(tags[i].Name, entry);
            bool isShared = i > 7;
            if (i == 7) curveAt = at;
            BinaryPrimitives.WriteInt32BigEndian(entry[4..], isShared ? curveAt : at);
            BinaryPrimitives.WriteInt32BigEndian(entry[8..], tags[i].Value.Length);
            if (isShared) continue;
            tags[i].Value.CopyTo(profile, at);
            at += tags[i].Value.Length + 3 & ~3;
        }
        return profile;
    }

    private byte[] Column(int i) => Numbers("XYZ ", _matrix[i], _matrix[3 + i], _matrix[6 + i]);

    private static byte[] Numbers(string type, params ReadOnlySpan<double> values)
    {
        byte[] tag = new byte[8 + 4 * values.Length];
        Encoding.ASCII.GetBytes(type, tag);
        for (int i = 0; i < values.Length; i++) Fixed(tag.AsSpan(8 + 4 * i), values[i]);
        return tag;
    }

    private static byte[] Text(string text)
    {
        byte[] tag = new byte[28 + 2 * text.Length];
        "mluc"u8.CopyTo(tag);
        tag[11] = 1;
        tag[15] = 12;
        "enUS"u8.CopyTo(tag.AsSpan(16));
        BinaryPrimitives.WriteInt32BigEndian(tag.AsSpan(20), 2 * text.Length);
        BinaryPrimitives.WriteInt32BigEndian(tag.AsSpan(24), 28);
        Encoding.BigEndianUnicode.GetBytes(text, tag.AsSpan(28));
        return tag;
    }

    private static void Fixed(Span<byte> to, double value) => BinaryPrimitives.WriteInt32BigEndian(to, (int)Math.Round(value * 65536));

    private static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> profile, byte letter, ReadOnlySpan<byte> rest)
    {
        uint count = BinaryPrimitives.ReadUInt32BigEndian(profile[128..]);
        for (int i = 0; i < count && 132 + 12 * (i + 1) <= profile.Length; i++)
        {
            ReadOnlySpan<byte> entry = profile.Slice(132 + 12 * i, 12);
            if (entry[0] != letter || !entry[1..4].SequenceEqual(rest)) continue;
            uint offset = BinaryPrimitives.ReadUInt32BigEndian(entry[4..]), length = BinaryPrimitives.ReadUInt32BigEndian(entry[8..]);
            return (ulong)offset + length > (ulong)profile.Length ? default : profile.Slice((int)offset, (int)length);
        }
        return default;
    }

    /// <summary>A curve of type curv or para, at 256 places.</summary>
    private static double[]? ReadCurve(ReadOnlySpan<byte> tag)
    {
        if (tag.Length < 12) return null;
        if (tag[..4].SequenceEqual("para"u8))
        {
            int type = BinaryPrimitives.ReadUInt16BigEndian(tag[8..]);
            int[] needed = [1, 3, 4, 5, 7];
            if (type >= needed.Length || tag.Length < 12 + 4 * needed[type]) return null;
            double[] p = new double[7];
            for (int i = 0; i < needed[type]; i++) p[i] = BinaryPrimitives.ReadInt32BigEndian(tag[(12 + 4 * i)..]) / 65536.0;
            return type switch
            {
                0 => Sample(x => Math.Pow(x, p[0])),
                1 => Sample(x => x >= -p[2] / p[1] ? Math.Pow(p[1] * x + p[2], p[0]) : 0),
                2 => Sample(x => x >= -p[2] / p[1] ? Math.Pow(p[1] * x + p[2], p[0]) + p[3] : p[3]),
                3 => Sample(x => Parametric(p, x)),
                _ => Sample(x => x >= p[4] ? Math.Pow(p[1] * x + p[2], p[0]) + p[5] : p[3] * x + p[6]),
            };
        }
        if (!tag[..4].SequenceEqual("curv"u8)) return null;
        uint count = BinaryPrimitives.ReadUInt32BigEndian(tag[8..]);
        if (12 + 2 * (ulong)count > (ulong)tag.Length) return null;
        if (count == 0) return Sample(x => x);
        ushort[] entries = new ushort[count];
        for (int i = 0; i < entries.Length; i++) entries[i] = BinaryPrimitives.ReadUInt16BigEndian(tag[(12 + 2 * i)..]);
        if (count == 1) return Sample(x => Math.Pow(x, entries[0] / 256.0));
        return Sample(x =>
        {
            double at = x * (entries.Length - 1);
            int low = Math.Min((int)at, entries.Length - 2);
            return (entries[low] + (at - low) * (entries[low + 1] - entries[low])) / 65535;
        });
    }

    private static double Parametric(double[] p, double x) => x >= p[4] ? Math.Pow(p[1] * x + p[2], p[0]) : p[3] * x;

    private static double[] Sample(Func<double, double> curve)
    {
        double[] sampled = new double[CurveLength];
        for (int i = 0; i < CurveLength; i++)
        {
            double value = curve(i / (double)(CurveLength - 1));
            sampled[i] = double.IsFinite(value) ? Math.Clamp(value, 0, 1) : 0;
        }
        return sampled;
    }

    /// <summary>The level whose light is nearest, by the light's square root: dark levels lie close together.</summary>
    private static byte[] Invert(double[] curve)
    {
        byte[] inverse = new byte[InverseLength];
        int level = 0;
        for (int i = 0; i < InverseLength; i++)
        {
            double root = i / (double)(InverseLength - 1), light = root * root;
            while (level < CurveLength - 1 && Math.Abs(curve[level + 1] - light) <= Math.Abs(curve[level] - light)) level++;
            inverse[i] = (byte)level;
        }
        return inverse;
    }

    private static double[] Multiply(double[] a, double[] b)
    {
        double[] product = new double[9];
        for (int r = 0; r < 3; r++)
        {
            for (int c = 0; c < 3; c++) product[3 * r + c] = a[3 * r] * b[c] + a[3 * r + 1] * b[3 + c] + a[3 * r + 2] * b[6 + c];
        }
        return product;
    }

    private static double[] Invert3(double[] m)
    {
        double a = m[4] * m[8] - m[5] * m[7], b = m[5] * m[6] - m[3] * m[8], c = m[3] * m[7] - m[4] * m[6];
        double d = m[0] * a + m[1] * b + m[2] * c;
        return
        [
            a / d, (m[2] * m[7] - m[1] * m[8]) / d, (m[1] * m[5] - m[2] * m[4]) / d,
            b / d, (m[0] * m[8] - m[2] * m[6]) / d, (m[2] * m[3] - m[0] * m[5]) / d,
            c / d, (m[1] * m[6] - m[0] * m[7]) / d, (m[0] * m[4] - m[1] * m[3]) / d,
        ];
    }
}
