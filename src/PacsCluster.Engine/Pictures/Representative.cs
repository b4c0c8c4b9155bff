using PacsCluster.Catalog;

namespace PacsCluster.Engine;

/// <summary>Which image stands for a series or a study: the middle one of the series that has most images, where a series that a modality made goes before
/// one that was derived. The middle, because the first slice of a stack is often air.</summary>
public static class Representative
{
    // SOP classes by how little their pixels show of a patient: maps, doses and scanned paper stand behind images.
    private static readonly Dictionary<string, int> s_ranks = new()
    {
        ["1.2.840.10008.5.1.4.1.1.7"] = 1, ["1.2.840.10008.5.1.4.1.1.7.1"] = 1, ["1.2.840.10008.5.1.4.1.1.7.2"] = 1, ["1.2.840.10008.5.1.4.1.1.7.3"] = 1,
        ["1.2.840.10008.5.1.4.1.1.7.4"] = 1, ["1.2.840.10008.5.1.4.1.1.30"] = 2, ["1.2.840.10008.5.1.4.1.1.481.2"] = 2, ["1.2.840.10008.5.1.4.1.1.66.4"] = 3,
        ["1.2.840.10008.5.1.4.1.1.66.7"] = 3,
    };

    /// <summary>Chooses among the instances of a series or study.</summary>
    /// <param name="instances">In order of series and instance number.</param>
    /// <returns>Null when none is an image.</returns>
    public static InstanceLocation? Of(IEnumerable<InstanceLocation> instances)
    {
        List<InstanceLocation>? best = null;
        foreach (IGrouping<string, InstanceLocation> series in instances.Where(i => i.PixelDataOffset >= 0).GroupBy(i => i.SeriesInstanceUid, StringComparer.Ordinal))
        {
            List<InstanceLocation> images = [.. series];
            if (best is null || Rank(images) < Rank(best) || Rank(images) == Rank(best) && images.Count > best.Count) best = images;
        }
        return best?[best.Count / 2];
    }

    /// <summary>The frame that stands for an instance, from 0.</summary>
    public static int FrameOf(int frameCount) => frameCount / 2;

    private static int Rank(List<InstanceLocation> images) => images.Min(i => s_ranks.GetValueOrDefault(i.SopClassUid));
}
