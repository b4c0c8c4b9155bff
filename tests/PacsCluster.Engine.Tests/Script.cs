using PacsCluster.Dicom;

namespace PacsCluster.Engine.Tests;

/// <summary>A line of testdata: see README.txt there.</summary>
internal sealed record ScriptLine(int Number, string Text, string Verb, IReadOnlyDictionary<string, string> Words, string Outcome, string Reason, IReadOnlyList<string> Conflicts)
{
    public string? this[string word] => Words.GetValueOrDefault(word);

    public static IEnumerable<ScriptLine> Read(string file)
    {
        int number = 0;
        foreach (string raw in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "testdata", file)))
        {
            number++;
            string text = raw.Trim();
            if (text.Length == 0 || text[0] == '#') continue;
            string[] halves = text.Split("=>", 2, StringSplitOptions.TrimEntries);
            string[] words = halves[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string[] expected = halves.Length == 2 ? halves[1].Split('+', StringSplitOptions.TrimEntries) : [""];
            string[] outcome = expected[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            yield return new ScriptLine(number, text, words[0], words.Skip(1).Select(w => w.Split('=', 2)).ToDictionary(w => w[0], w => w[1]),
                outcome.Length > 0 ? outcome[0] : "", outcome.Length > 1 ? outcome[1] : "", [.. expected.Skip(1)]);
        }
    }

    public string From => this["from"] ?? "CT1";

    /// <summary>The data set that a store line describes, encoded.</summary>
    public byte[] DataSet(TransferSyntax transferSyntax)
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        void Set(uint tag, string? value)
        {
            if (value is not null and not "-") dataSet.Set(new Tag(tag), value);
        }
        string? Uid(string word, string stem, string? otherwise)
        {
            string? value = this[word] ?? otherwise;
            return value is null or "-" ? null : value[0] == '!' ? value[1..] : stem + value;
        }
        Set(0x00080016, Uid("class", "1.2.840.10008.5.1.4.1.1.", "7"));
        Set(0x00080018, Uid("sop", "1.2.3.200.", null));
        Set(0x00080060, this["modality"] ?? "OT");
        Set(0x00100010, this["name"] ?? "Doe^Ann");
        Set(0x00100020, this["id"] ?? "P1");
        Set(0x00100021, this["issuer"]);
        Set(0x00100030, this["birth"]);
        Set(0x00100040, this["sex"]);
        Set(0x0020000D, Uid("study", "1.2.3.", null));
        Set(0x0020000E, Uid("series", "1.2.3.100.", "1"));
        Set(0x00204000, "content " + (this["content"] ?? "a"));
        return dataSet.ToArray(transferSyntax);
    }

    public static string StudyUid(string study) => study[0] == '!' ? study[1..] : "1.2.3." + study;

    /// <summary>The options after a policy line.</summary>
    public EngineOptions Apply(EngineOptions options)
    {
        if (this["from"] is not { } from) return options with { Policy = Override().ApplyTo(options.Policy) };
        return options with { CallingAETitles = new Dictionary<string, StorePolicyOverride>(options.CallingAETitles) { [from] = Override() } };
    }

    private StorePolicyOverride Override() => new()
    {
        DifferentContent = Value<DifferentContentPolicy>("DifferentContent"),
        SopInstanceClash = Value<ClashPolicy>("SopInstanceClash"),
        OtherPatient = Value<MisfitPolicy>("OtherPatient"),
        MissingPatientId = Value<MisfitPolicy>("MissingPatientId"),
        MissingUid = Value<MisfitPolicy>("MissingUid"),
        BadUid = Value<MisfitPolicy>("BadUid"),
        RequestMismatch = Value<MisfitPolicy>("RequestMismatch"),
    };

    private T? Value<T>(string name) where T : struct => this[name] is { } text ? Enum.Parse<T>(text) : null;
}
