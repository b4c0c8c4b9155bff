namespace PacsCluster.Imaging;

/// <summary>Limits of decoding and encoding. Bound and validated once at start.</summary>
public sealed record CodecOptions
{
    /// <summary>Frames that are decoded or encoded at once; further ones wait. Default 0, which is one a core; 0 to 256.</summary>
    public int Parallel { get; init; }

    /// <summary>Time that one frame may take; a codec that needs longer is ended. Default 60 s, 100 ms to 1 h.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of one decoded frame at most. Default 1,073,741,824 (1 GiB), 1 MiB to 2,147,483,591.</summary>
    public int FrameMaxBytes { get; init; } = 1 << 30;

    /// <summary>Folder to load libturbojpeg.so.0, libcharls.so.2 and libopenjp2.so.7 from and to run ojph_compress in; null for where the system has them. Default null.</summary>
    public string? LibraryFolder { get; init; }

    /// <summary><see cref="Parallel"/> as a number of frames.</summary>
    internal int FramesAtOnce => Parallel > 0 ? Parallel : Math.Min(Environment.ProcessorCount, 256);

    /// <summary>Every error, each one line that names the option, its value and what is allowed; empty when all is well.</summary>
    public IReadOnlyList<string> Validate()
    {
        var errors = new List<string>();
        void Range<T>(string name, T value, T min, T max) where T : IComparable<T>
        {
            if (value.CompareTo(min) < 0 || value.CompareTo(max) > 0) errors.Add($"Codecs:{name}: {value} is not between {min} and {max}");
        }
        Range(nameof(Parallel), Parallel, 0, 256);
        Range(nameof(TimeLimit), TimeLimit, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));
        Range(nameof(FrameMaxBytes), FrameMaxBytes, 1024 * 1024, Array.MaxLength);
        return errors;
    }
}
