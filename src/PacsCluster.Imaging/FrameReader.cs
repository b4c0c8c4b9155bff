using PacsCluster.Dicom;

namespace PacsCluster.Imaging;

/// <summary>The frames of an instance that is in memory, as they are stored. Not safe for several threads at once.</summary>
public sealed class FrameReader
{
    private readonly ReadOnlyMemory<byte> _value;
    private readonly IReadOnlyList<FrameLocation> _frames;

    /// <summary>Finds the frames.</summary>
    /// <param name="dataSet">The instance with its pixel data.</param>
    /// <param name="transferSyntaxUid">How it is stored.</param>
    /// <exception cref="ImagingException">NotAnImage without pixel data; Corrupt when the frames cannot be told apart.</exception>
    public FrameReader(DataSet dataSet, string transferSyntaxUid)
    {
        ArgumentNullException.ThrowIfNull(dataSet);
        Format = FrameFormat.Read(dataSet);
        TransferSyntaxUid = transferSyntaxUid;
        if (!dataSet.TryGet(Tags.PixelData, out DataElement element) && !dataSet.TryGet(Tags.FloatPixelData, out element)
            && !dataSet.TryGet(Tags.DoubleFloatPixelData, out element)) throw new ImagingException(ImagingError.NotAnImage, "no pixel data");
        IsEncapsulated = element.HasUndefinedLength;
        _value = IsEncapsulated ? element.RawValue : element.LittleEndianValue;
        _frames = IsEncapsulated ? PixelDataFrames.Encapsulated(dataSet, _value.Span) : PixelDataFrames.Native(dataSet, _value.Length);
        if (_frames.Count == 0) throw new ImagingException(ImagingError.Corrupt, "the frames of the pixel data cannot be told apart");
    }

    /// <summary>How the frames are stored.</summary>
    public string TransferSyntaxUid { get; }

    /// <summary>What the attributes say of every frame.</summary>
    public FrameFormat Format { get; }

    /// <summary>The pixel data is in fragments.</summary>
    public bool IsEncapsulated { get; }

    /// <summary>Number of frames.</summary>
    public int Count => _frames.Count;

    /// <summary>The bytes of one frame: a codestream whole, or native samples in little endian.</summary>
    /// <param name="index">From 0.</param>
    public ReadOnlyMemory<byte> Read(int index)
    {
        FrameLocation location = _frames[index];
        ReadOnlyMemory<byte> bytes = _value.Slice((int)location.Offset, (int)Math.Min(location.Length, _value.Length - location.Offset));
        return IsEncapsulated ? PixelDataFrames.Join(location, bytes) : NativeFrame.Align(Format, index, bytes);
    }
}
