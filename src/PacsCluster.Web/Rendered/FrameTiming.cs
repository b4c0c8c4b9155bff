using System.Globalization;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>How long a frame of a cine is shown (PS3.3 C.7.6.5).</summary>
internal static class FrameTiming
{
    private static readonly TimeSpan s_default = TimeSpan.FromMilliseconds(100), s_least = TimeSpan.FromMilliseconds(20), s_most = TimeSpan.FromSeconds(10);

    /// <summary>Of a frame, from 0: the vector's step to the next one, Frame Time, or one of the rates; 100 ms when nothing is said.</summary>
    public static TimeSpan Of(DataSet header, int frame)
    {
        string[] steps = header.GetStrings(Tags.FrameTimeVector);
        if (steps.Length > 1 && double.TryParse(steps[Math.Min(frame + 1, steps.Length - 1)], NumberStyles.Float, CultureInfo.InvariantCulture, out double step) && step > 0) return Clamp(step);
        if (header.GetDouble(Tags.FrameTime) is > 0 and var time) return Clamp(time);
        double? rate = header.GetDouble(Tags.RecommendedDisplayFrameRate) ?? header.GetDouble(Tags.CineRate);
        return rate is > 0 ? Clamp(1000 / rate.Value) : s_default;
    }

    private static TimeSpan Clamp(double milliseconds) => TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, s_least.TotalMilliseconds, s_most.TotalMilliseconds));
}
