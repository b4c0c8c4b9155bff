using System.Collections.Frozen;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>What a search answers without being asked (PS3.18 tables 10.6.3-3, -4 and -5).</summary>
internal static class ReturnAttributes
{
    /// <summary>Written only when it is known ("shall be present if known").</summary>
    private static readonly Tag s_timezone = new(0x0008_0201);

    private static readonly uint[] s_patient =
    [
        0x0010_0010, 0x0010_0020, 0x0010_0021, 0x0010_0030, 0x0010_0040, 0x0020_1200, 0x0020_1202, 0x0020_1204,
    ];

    private static readonly uint[] s_study =
    [
        0x0008_0020, 0x0008_0030, 0x0008_0050, 0x0008_0056, 0x0008_0061, 0x0008_0090, 0x0008_0201, 0x0008_1030, 0x0010_0010, 0x0010_0020, 0x0010_0021, 0x0010_0030,
        0x0010_0040, 0x0020_000D, 0x0020_0010, 0x0020_1206, 0x0020_1208,
    ];

    private static readonly uint[] s_series =
    [
        0x0008_0056, 0x0008_0060, 0x0008_0201, 0x0008_103E, 0x0020_000D, 0x0020_000E, 0x0020_0011, 0x0020_1209, 0x0040_0244, 0x0040_0245, 0x0040_0275,
    ];

    private static readonly uint[] s_instance =
    [
        0x0008_0016, 0x0008_0018, 0x0008_0056, 0x0008_0201, 0x0008_3002, 0x0020_000D, 0x0020_000E, 0x0020_0013, 0x0028_0008, 0x0028_0010, 0x0028_0011, 0x0028_0100,
    ];

    /// <summary>Ascending, with what is written also when it is empty. Levels that the resource's path leaves open are answered too (10.6.3.3).</summary>
    /// <param name="Tags">All.</param>
    /// <param name="Kept">Written also when empty.</param>
    public sealed record Set(IReadOnlyList<(Tag Tag, VR VR)> Tags, FrozenSet<Tag> Kept);

    private static readonly Dictionary<(QueryLevel, QueryLevel), Set> s_sets = (
        from level in Enum.GetValues<QueryLevel>()
        from given in Enum.GetValues<QueryLevel>()
        select (level, given)).ToDictionary(key => key, key => Make(key.level, key.given));

    /// <summary>What a resource answers.</summary>
    /// <param name="level">Level of the results.</param>
    /// <param name="given">Lowest level that the path names by UID; Patient when it names none.</param>
    public static Set Of(QueryLevel level, QueryLevel given) => s_sets[(level, given)];

    private static Set Make(QueryLevel level, QueryLevel given)
    {
        IEnumerable<uint> tags = level switch
        {
            QueryLevel.Patient => s_patient,
            QueryLevel.Study => s_study,
            QueryLevel.Series => given >= QueryLevel.Study ? s_series : s_study.Concat(s_series),
            _ => given >= QueryLevel.Series ? s_instance : given == QueryLevel.Study ? s_series.Concat(s_instance) : s_study.Concat(s_series).Concat(s_instance),
        };
        (Tag Tag, VR VR)[] all = [.. tags.Distinct().Order().Select(value => new Tag(value)).Select(tag => (tag, DataDictionary.GetVR(tag)))];
        return new Set(all, all.Select(one => one.Tag).Where(tag => tag != s_timezone).ToFrozenSet());
    }
}
