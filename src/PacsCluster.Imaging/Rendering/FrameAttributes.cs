using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>The attributes that hold for one frame: of an enhanced image from the functional groups, per-frame ones before shared ones (PS3.3
/// C.7.6.16), of any other image from its top level.</summary>
internal sealed class FrameAttributes
{
    private readonly DataSet? _perFrame;
    private readonly DataSet? _shared;

    /// <summary>For one frame.</summary>
    /// <param name="header">The instance's attributes; Pixel Data may be left out.</param>
    /// <param name="frame">From 0.</param>
    public FrameAttributes(DataSet header, int frame)
    {
        Header = header;
        Frame = frame;
        IReadOnlyList<DataSet> perFrame = header.GetItems(Tags.PerFrameFunctionalGroupsSequence);
        _perFrame = frame < perFrame.Count ? perFrame[frame] : null;
        _shared = First(header, Tags.SharedFunctionalGroupsSequence);
    }

    /// <summary>The instance's attributes.</summary>
    public DataSet Header { get; }

    /// <summary>From 0.</summary>
    public int Frame { get; }

    /// <summary>The item of a functional group that holds for this frame; else the top level, where other images have the same attributes.</summary>
    public DataSet GroupOrHeader(Tag sequence) =>
        (_perFrame is null ? null : First(_perFrame, sequence)) ?? (_shared is null ? null : First(_shared, sequence)) ?? Header;

    /// <summary>First item of a sequence; null when there is none.</summary>
    public static DataSet? First(DataSet dataSet, Tag sequence) => dataSet.GetItems(sequence) is { Count: > 0 } items ? items[0] : null;
}
