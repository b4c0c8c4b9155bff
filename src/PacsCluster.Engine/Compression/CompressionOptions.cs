using PacsCluster.Dicom;

namespace PacsCluster.Engine;

/// <summary>What a rule compresses to. Nothing of it loses anything.</summary>
public enum CompressionTarget
{
    /// <summary>Stays as it was received.</summary>
    None,
    /// <summary>JPEG-LS Lossless (1.2.840.10008.1.2.4.80).</summary>
    JpegLsLossless,
    /// <summary>JPEG 2000 Lossless (1.2.840.10008.1.2.4.90).</summary>
    Jpeg2000Lossless,
    /// <summary>HTJ2K Lossless (1.2.840.10008.1.2.4.201).</summary>
    Htj2kLossless,
}

/// <summary>Which instances are compressed to what. Every list that is not empty must have the instance's value.</summary>
public sealed record CompressionRule
{
    /// <summary>Modalities (0008,0060). Default none: all.</summary>
    public IReadOnlyList<string> Modalities { get; init; } = [];

    /// <summary>SOP Class UIDs (0008,0016). Default none: all.</summary>
    public IReadOnlyList<string> SopClassUids { get; init; } = [];

    /// <summary>AE titles that sent the instance. Default none: all.</summary>
    public IReadOnlyList<string> CallingAETitles { get; init; } = [];

    /// <summary>JpegLsLossless, Jpeg2000Lossless, Htj2kLossless (needs the Debian package openjph-tools), or None: what the rule matches stays as it is. Needed.</summary>
    public required CompressionTarget? Target { get; init; }

    internal bool Matches(string modality, string sopClassUid, string callingAETitle) =>
        Has(Modalities, modality) && Has(SopClassUids, sopClassUid) && Has(CallingAETitles, callingAETitle);

    internal static bool Has(IReadOnlyList<string> allowed, string value) => allowed.Count == 0 || allowed.Contains(value, StringComparer.Ordinal);
}

/// <summary>Lossless compression of what was received uncompressed, after its study is complete.</summary>
public sealed record CompressionOptions
{
    /// <summary>Rules; the first that matches an instance counts, and what none matches stays as it is. Default none: nothing is compressed.</summary>
    public IReadOnlyList<CompressionRule> Rules { get; init; } = [];

    /// <summary>Time for which the original is kept after the compressed one took its place: retrieves that began before read on. Default 1 h, 1 min to 3650 d.</summary>
    public TimeSpan OriginalRetention { get; init; } = TimeSpan.FromHours(1);

    /// <summary>What an instance is to become; null when it stays as it is.</summary>
    internal TransferSyntax? TargetFor(string modality, string sopClassUid, string callingAETitle) =>
        Rules.FirstOrDefault(rule => rule.Matches(modality, sopClassUid, callingAETitle))?.Target switch
        {
            CompressionTarget.JpegLsLossless => TransferSyntax.FromUid(Uids.JPEGLSLossless),
            CompressionTarget.Jpeg2000Lossless => TransferSyntax.FromUid(Uids.JPEG2000Lossless),
            CompressionTarget.Htj2kLossless => TransferSyntax.FromUid(Uids.HTJ2KLossless),
            _ => null,
        };

    /// <summary>Whether any instance of a series may be compressed.</summary>
    internal bool MayCompress(string modality) => Rules.Any(rule => rule.Target != CompressionTarget.None && CompressionRule.Has(rule.Modalities, modality));

    /// <summary>Every error, each one line that names the option, its value and what is allowed; empty when all is well.</summary>
    internal IEnumerable<string> Validate()
    {
        if (OriginalRetention < TimeSpan.FromMinutes(1) || OriginalRetention > TimeSpan.FromDays(3650))
            yield return $"Engine:Compression:OriginalRetention: {OriginalRetention} is not between {TimeSpan.FromMinutes(1)} and {TimeSpan.FromDays(3650)}";
        for (int i = 0; i < Rules.Count; i++)
        {
            CompressionRule rule = Rules[i];
            string name = $"Engine:Compression:Rules:{i}";
            if (rule.Target is not { } target) yield return $"{name}:Target: is needed";
            else if (!Enum.IsDefined(target)) yield return $"{name}:Target: {target} is not one of {string.Join(", ", Enum.GetNames<CompressionTarget>())}";
            foreach (string modality in rule.Modalities)
            {
                if (modality.Length is 0 or > 16 || modality.Any(c => !char.IsAsciiLetterUpper(c) && !char.IsAsciiDigit(c) && c is not ('_' or ' ')) || modality.Trim() != modality)
                    yield return $"{name}:Modalities: '{modality}' is not a code of 1 to 16 capital letters, digits and underscores";
            }
            foreach (string uid in rule.SopClassUids)
            {
                if (UidCheck.Judge(uid) != UidHealth.Good) yield return $"{name}:SopClassUids: '{uid}' is not a UID";
            }
            foreach (string title in rule.CallingAETitles)
            {
                if (title.Trim() != title || title.Length is 0 or > 16) yield return $"{name}:CallingAETitles: '{title}' is not an AE title of 1 to 16 characters";
            }
        }
    }
}
