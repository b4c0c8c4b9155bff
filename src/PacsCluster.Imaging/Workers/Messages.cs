using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Workers;

/// <summary>Which library decodes.</summary>
internal enum WorkerCodec
{
    Jpeg = 1,
    JpegLs = 2,
    Jpeg2000 = 3,
}

/// <summary>What goes to a worker before the codestream. All of it was checked against the codestream's own header.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WorkerRequest
{
    public WorkerCodec Codec;
    public int InputLength;
    public int Rows;
    public int Columns;
    public int Components;
    /// <summary>Bytes of a sample that are asked for: 1, 2 or 4.</summary>
    public int SampleBytes;
    /// <summary>Bytes of a sample that the precision of the codestream needs.</summary>
    public int CodedBytes;
    /// <summary>Three components of JPEG are YCbCr, to become RGB.</summary>
    public int ToRgb;
    /// <summary>After so long the worker ends itself, should nobody be left to end it.</summary>
    public int TimeLimitMilliseconds;

    public readonly long OutputLength => (long)Rows * Columns * Components * SampleBytes;
}

/// <summary>How it went. What follows are the samples, or a message in UTF-8.</summary>
internal enum WorkerStatus
{
    Done = 0,
    Corrupt = 1,
    LibraryMissing = 2,
}

/// <summary>What comes back from a worker before the samples or the message.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WorkerReply
{
    public WorkerStatus Status;
    public int Length;
}
