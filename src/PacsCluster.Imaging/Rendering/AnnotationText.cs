using System.Globalization;
using System.Numerics;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Text burned in by request: the patient at the top left, the technique at the bottom left.</summary>
internal static class AnnotationText
{
    private const double SmallestCap = 6, LargestCap = 60;

    /// <summary>Height of a capital for a picture's height.</summary>
    public static double CapHeight(int height) => Math.Clamp(height / 50.0, 9, LargestCap);

    /// <summary>Draws what was asked for.</summary>
    public static void Draw<T>(Raster<T> raster, FrameAttributes frame, Annotations annotations, VoiWindow? window)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        if ((annotations & Annotations.Patient) != 0) Place(raster, Patient(frame.Header), atTop: true);
        if ((annotations & Annotations.Technique) != 0) Place(raster, Technique(frame, window), atTop: false);
    }

    private static void Place<T>(Raster<T> raster, List<string> lines, bool atTop) where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
    {
        if (lines.Count == 0) return;
        double cap = CapHeight(raster.Height);
        double room = raster.Width - cap;
        // Smaller until the longest line fits; what still does not fit ends with dots, so that nobody takes a part of a name for the whole.
        int longest = lines.Max(StrokeFont.Measure);
        if (longest > 0) cap = Math.Max(Math.Min(cap, room * StrokeFont.CapHeight / longest), SmallestCap);
        double unit = cap / StrokeFont.CapHeight, step = unit * StrokeFont.LineHeight;
        double y = atTop ? cap * 1.5 : raster.Height - cap / 2 - (lines.Count - 1) * step;
        var painter = new Painter<T>(raster);
        foreach (string line in lines)
        {
            painter.Text(Fit(line, room / unit), cap / 2, y, cap, Ink<T>.Of(1), Ink<T>.Of(0));
            y += step;
        }
    }

    private static string Fit(string line, double units)
    {
        if (StrokeFont.Measure(line) <= units) return line;
        int dots = StrokeFont.Measure("...");
        int length = line.Length;
        while (length > 0 && StrokeFont.Measure(line[..length]) + dots > units) length--;
        return line[..length] + "...";
    }

    private static List<string> Patient(DataSet header)
    {
        var lines = new List<string>();
        if (header.GetString(Tags.PatientName) is { } name) lines.Add(Name(PersonName.Parse(name)));
        if (header.GetString(Tags.PatientID) is { } id) lines.Add("ID " + id);
        string born = Date(header.GetString(Tags.PatientBirthDate)) is { } date ? "born " + date : "";
        string rest = string.Join("  ", new[] { born, header.GetString(Tags.PatientSex) ?? "" }.Where(s => s.Length > 0));
        if (rest.Length > 0) lines.Add(rest);
        return lines;
    }

    /// <summary>The first way of writing that can be drawn; if there is none, the first that is there, as boxes.</summary>
    private static string Name(PersonName name)
    {
        PersonNameGroup[] groups = [.. new[] { name.Alphabetic, name.Ideographic, name.Phonetic }.Where(g => !g.IsEmpty)];
        if (groups.Length == 0) return "";
        PersonNameGroup group = groups.FirstOrDefault(g => StrokeFont.CanDraw(g.ToString())) ?? groups[0];
        string given = string.Join(' ', new[] { group.Prefix, group.GivenName, group.MiddleName, group.Suffix }.Where(s => s.Length > 0));
        return given.Length > 0 ? $"{group.FamilyName}, {given}" : group.FamilyName;
    }

    private static List<string> Technique(FrameAttributes frame, VoiWindow? window)
    {
        DataSet header = frame.Header;
        var lines = new List<string>();
        void Add(params string?[] parts)
        {
            string line = string.Join("  ", parts.Where(p => !string.IsNullOrEmpty(p)));
            if (line.Length > 0) lines.Add(line);
        }
        string? Number(string label, Tag tag, string unit) => header.GetDouble(tag) is { } value ? $"{label}{value.ToString("0.###", CultureInfo.InvariantCulture)} {unit}" : null;
        Add(header.GetString(Tags.Modality), Date(header.GetString(Tags.StudyDate)), header.GetString(Tags.StudyDescription));
        Add(header.GetString(Tags.SeriesDescription), header.GetInt64(Tags.InstanceNumber) is { } n ? $"image {n}" : null,
            header.GetInt32(Tags.NumberOfFrames) is > 1 and var frames ? $"frame {frame.Frame + 1}/{frames}" : null);
        Add(Number("", Tags.KVP, "kV"), Number("", Tags.XRayTubeCurrent, "mA"), Number("", Tags.Exposure, "mAs"),
            Number("TR ", Tags.RepetitionTime, "ms"), Number("TE ", Tags.EchoTime, "ms"), Number("", Tags.SliceThickness, "mm"));
        if (window is not null) Add($"C {window.Center.ToString("0.##", CultureInfo.InvariantCulture)} W {window.Width.ToString("0.##", CultureInfo.InvariantCulture)}");
        return lines;
    }

    private static string? Date(string? value) => DateTime.TryParseExact(value, "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime date)
        ? date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
        : null;
}
