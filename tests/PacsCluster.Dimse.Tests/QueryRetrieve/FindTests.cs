using System.Text;
using System.Xml.Linq;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

public sealed class FindTests(QueryPopulation population) : IClassFixture<QueryPopulation>
{
    private const string FindPatientRoot = "1.2.840.10008.5.1.4.1.2.1.1";

    public static IEnumerable<TheoryDataRow<string>> Script => FindScript.All.Select(line => new TheoryDataRow<string>(line));

    [Theory]
    [MemberData(nameof(Script))]
    public async Task C_42_to_C_49_Finds_what_the_script_says(string line)
    {
        (string query, string expected) = Split(line, "=>");
        char model = query[0], mode = query[1];
        string level = query[2..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
        string[] keys = [.. query[2..].Trim()[level.Length..].Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Expand)];
        string[] returned = level switch
        {
            "PATIENT" => ["PatientID"],
            "STUDY" => ["StudyInstanceUID"],
            "SERIES" => ["StudyInstanceUID", "SeriesNumber"],
            _ => ["StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber"],
        };
        keys = [.. keys, .. returned.Where(key => !keys.Any(given => given.Split('=')[0] == key))];
        IReadOnlyList<IReadOnlyDictionary<string, string>> answers = mode == ' '
            ? await FindscuAsync(model, [$"QueryRetrieveLevel={level}", .. keys])
            : await OwnClientAsync(model, mode, [$"QueryRetrieveLevel={level}", .. keys]);
        Assert.All(answers, answer => Assert.Equal(level, answer["QueryRetrieveLevel"]));
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(), answers.Select(answer => LabelOf(level, answer)).Order());
    }

    [Fact]
    public async Task C_46_Every_requested_key_comes_back_and_FF01_says_that_some_are_not_supported()
    {
        ToolResult supported = await RunFindscuAsync("-d", 'S', "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + QueryPopulation.Studies["A1"],
            "PatientName", "NumberOfStudyRelatedInstances", "PatientBirthTime");
        Assert.Contains("0xff00", supported.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("0xff01", supported.Output, StringComparison.Ordinal);
        Assert.Contains("(0010,0032) TM (no value available)", supported.Output, StringComparison.Ordinal);

        ToolResult unsupported = await RunFindscuAsync("-d", 'S', "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + QueryPopulation.Studies["A1"], "0009,0010=NOBODY", "InstanceNumber");
        Assert.True(unsupported.Output.Contains("0xff01", StringComparison.Ordinal), unsupported.Output);
        Assert.Contains("(0020,0013) IS (no value available)", unsupported.Output, StringComparison.Ordinal);
        Assert.Contains("0x0000: Success", unsupported.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_47_Derived_keys_are_those_of_the_study()
    {
        IReadOnlyDictionary<string, string> answer = Assert.Single(await FindscuAsync('S', "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + QueryPopulation.Studies["M3"],
            "ModalitiesInStudy", "SOPClassesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "NumberOfPatientRelatedStudies",
            "InstanceAvailability", "RetrieveAETitle", "PatientID", "IssuerOfPatientID", "StudyDate", "AccessionNumber"));
        Assert.Equal(["CT", "SR"], answer["ModalitiesInStudy"].Split('\\').Order());
        Assert.Equal("1.2.840.10008.5.1.4.1.1.7", answer["SOPClassesInStudy"]);
        Assert.Equal(("2", "5", "1"), (answer["NumberOfStudyRelatedSeries"], answer["NumberOfStudyRelatedInstances"], answer["NumberOfPatientRelatedStudies"]));
        Assert.Equal(("ONLINE", "PACSCLUSTER"), (answer["InstanceAvailability"], answer["RetrieveAETitle"]));
        Assert.Equal(("CN1", "HOSP-B", "20120401", "ACC3"), (answer["PatientID"], answer["IssuerOfPatientID"], answer["StudyDate"], answer["AccessionNumber"]));
    }

    [Fact]
    public async Task C_47_Counts_of_a_series_and_a_patient()
    {
        IReadOnlyList<IReadOnlyDictionary<string, string>> series = await FindscuAsync('S', "QueryRetrieveLevel=SERIES", "StudyInstanceUID=" + QueryPopulation.Studies["P4"],
            "SeriesInstanceUID", "SeriesNumber", "NumberOfSeriesRelatedInstances", "Modality");
        Assert.Equal(["1:1", "2:3", "700:7"], series.Select(answer => $"{answer["SeriesNumber"]}:{answer["NumberOfSeriesRelatedInstances"]}").Order(StringComparer.Ordinal));
        IReadOnlyDictionary<string, string> patient = Assert.Single(await FindscuAsync('P', "QueryRetrieveLevel=PATIENT", "PatientID=98890234",
            "NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances"));
        Assert.Equal(("4", "9", "24"),
            (patient["NumberOfPatientRelatedStudies"], patient["NumberOfPatientRelatedSeries"], patient["NumberOfPatientRelatedInstances"]));
    }

    [Theory]
    [InlineData("ISO_IR 192", "M1", "ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう")]
    [InlineData("\\ISO 2022 IR 87", "M1", "\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう")]
    [InlineData("ISO_IR 100", "M1", "ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう")]
    [InlineData("ISO_IR 100", "M4", "ISO_IR 100", "Müller^Jürgen")]
    [InlineData(null, "M4", "ISO_IR 192", "Müller^Jürgen")]
    [InlineData(null, "A1", null, "Doe^Archibald")]
    public async Task C_50_The_answer_is_in_the_requesters_character_set_or_in_UTF_8(string? asked, string study, string? answered, string name)
    {
        using var folder = new TempFolder();
        string[] keys = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + QueryPopulation.Studies[study], "PatientName"];
        if (asked is not null) keys = ["SpecificCharacterSet=" + asked, .. keys];
        ToolResult result = await Tool.RunAsync("findscu",
            ["-S", "-aec", "PACSCLUSTER", "-X", "-od", folder.Path, .. keys.SelectMany(key => new[] { "-k", key }), "127.0.0.1", $"{population.Server.Port}"]);
        Assert.True(result.ExitCode == 0, result.Output);
        const string Read = """
            import sys, pydicom
            d = pydicom.dcmread(sys.argv[1], force=True)
            c = d.get("SpecificCharacterSet")
            print(c if isinstance(c, str) or c is None else "\\".join(c))
            print(d.PatientName)
            """;
        ToolResult read = await Tool.RunAsync("/usr/bin/python3", ["-c", Read, folder.At("rsp0001.dcm")], environment: new Dictionary<string, string> { ["PYTHONIOENCODING"] = "utf-8" });
        string[] lines = read.Output.Split('\n');
        Assert.Equal((answered ?? "None", name), (lines[0].Trim(), lines[1].Trim()));
    }

    [Theory]
    [InlineData("ISO_IR 192", "PatientName=山田*", "M1")]
    [InlineData("ISO_IR 192", "PatientName=*=*=やまだ*", "M1")]
    [InlineData("ISO_IR 192", "PatientName==山田^太郎", "M1")]
    [InlineData("ISO_IR 192", "PatientName=홍*", "M2")]
    [InlineData("ISO_IR 192", "PatientName=MÜLLER^*", "M4")]
    [InlineData("ISO_IR 192", "StudyDescription=Köpfchen", "M3")]
    public async Task C_44_Names_match_by_their_groups_in_any_character_set(string charset, string key, string study)
    {
        IReadOnlyDictionary<string, string> answer = Assert.Single(
            await FindscuAsync('S', "SpecificCharacterSet=" + charset, "QueryRetrieveLevel=STUDY", key, "StudyInstanceUID"));
        Assert.Equal(QueryPopulation.Studies[study], answer["StudyInstanceUID"]);
    }

    [Theory]
    [InlineData('S', "0008,0052", "PatientID=1")] // no level
    [InlineData('S', "0008,0052", "QueryRetrieveLevel=NONSENSE", "PatientID=1")]
    [InlineData('S', "0008,0052", "QueryRetrieveLevel=PATIENT", "PatientID=1")] // not in the model
    [InlineData('S', "0020,000d", "QueryRetrieveLevel=SERIES", "SeriesInstanceUID")] // unique key above missing
    [InlineData('S', "0020,000e", "QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2.3", "SOPInstanceUID")]
    [InlineData('P', "0010,0020", "QueryRetrieveLevel=STUDY", "StudyInstanceUID")]
    [InlineData('P', "0010,0020", "QueryRetrieveLevel=STUDY", "PatientID=98*")] // not a single value
    public async Task C_41_A_wrong_identifier_is_A900_with_the_offending_element_and_a_comment(char model, string offending, params string[] keys)
    {
        ToolResult result = await RunFindscuAsync("-d", model, keys);
        Assert.Contains("0xa900", result.Output, StringComparison.Ordinal);
        Assert.Matches(@"\(0000,0901\) AT \(" + offending + @"\)", result.Output);
        Assert.Matches(@"\(0000,0902\) LO \[.+\]", result.Output);
        Assert.DoesNotContain("0xff00", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-xi")]
    [InlineData("-xe")]
    [InlineData("-xb")]
    [InlineData("-xd")]
    public async Task Answers_come_in_the_transfer_syntax_that_was_negotiated(string proposal)
    {
        ToolResult result = await RunFindscuAsync(proposal, 'S', "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + QueryPopulation.Studies["M1"],
            "OtherPatientIDsSequence[0].PatientID", "NumberOfStudyRelatedInstances", "PatientID");
        Assert.Matches(@"\(0020,1208\) IS \[5 *\]", result.Output);
        Assert.Contains("[OTHER-1", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_43_Relational_queries_are_refused_when_they_were_not_negotiated_and_the_answer_to_the_negotiation_says_so()
    {
        await using DimseClient client = await ConnectAsync(FindPatientRoot, 1, 1, 1, 1, 1);
        Assert.Equal("0101000000", Convert.ToHexString(client.Association.ExtendedFor(FindPatientRoot).Span));
        await using DimseClient plain = await ConnectAsync(FindPatientRoot);
        DataSet identifier = Identifier(["QueryRetrieveLevel=IMAGE", "SOPInstanceUID", "PatientID=CN1"]);
        var related = new List<DimseResponse>();
        await foreach (DimseResponse response in client.FindAsync(FindPatientRoot, identifier, CancellationToken.None)) related.Add(response);
        Assert.Equal((6, DimseStatus.Success), (related.Count, related[^1].Status));
        await foreach (DimseResponse response in plain.FindAsync(FindPatientRoot, identifier, CancellationToken.None)) Assert.Equal(DimseStatus.DataSetDoesNotMatchSopClass, response.Status);
    }

    internal static DataSet Identifier(IEnumerable<string> keys)
    {
        var identifier = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        foreach (string key in keys)
        {
            string[] parts = key.Split('=', 2);
            Assert.True(DataDictionary.TryGetTag(parts[0], out Tag tag), key);
            identifier.Set(tag, parts.Length > 1 ? parts[1] : null);
        }
        return identifier;
    }

    private Task<DimseClient> ConnectAsync(string sopClass, params byte[] extended) => DimseClient.ConnectAsync(population.Server.Peer, ContextPlan.For(sopClass),
        new DimseClientOptions { CallingAETitle = "FINDER", Extended = extended.Length == 0 ? [] : [new ExtendedNegotiation(sopClass, extended)] }, CancellationToken.None);

    private async Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> OwnClientAsync(char model, char mode, string[] keys)
    {
        string sopClass = model == 'P' ? FindPatientRoot : WellKnownUids.StudyRootFind;
        await using DimseClient client = await ConnectAsync(sopClass, 1, mode == '*' ? (byte)1 : (byte)0);
        var answers = new List<IReadOnlyDictionary<string, string>>();
        await foreach (DimseResponse response in client.FindAsync(sopClass, Identifier(keys), CancellationToken.None))
        {
            if (response.Identifier is null)
            {
                Assert.Equal(DimseStatus.Success, response.Status);
                continue;
            }
            var answer = new Dictionary<string, string>();
            foreach (DataElement element in response.Identifier)
            {
                if (DataDictionary.TryGet(element.Tag, out DictionaryEntry entry)) answer[entry.Keyword] = string.Join('\\', element.GetStrings());
            }
            answers.Add(answer);
        }
        return answers;
    }

    private async Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> FindscuAsync(char model, params string[] keys)
    {
        using var folder = new TempFolder();
        string file = folder.At("responses.xml");
        ToolResult result = await RunFindscuAsync(["-Xs", file], model, keys);
        Assert.Contains("Received Final Find Response (Success)", result.Output, StringComparison.Ordinal);
        // findscu copies the bytes of any character set; only texts of ASCII are looked at here.
        string xml = File.Exists(file) ? await File.ReadAllTextAsync(file, Encoding.Latin1) : "<responses/>";
        XElement responses = XElement.Parse(xml[xml.IndexOf("<responses", StringComparison.Ordinal)..]);
        return [.. responses.Elements().Select(response => response.Elements("element").ToDictionary(e => (string)e.Attribute("name")!, e => e.Value.Trim()))];
    }

    private Task<ToolResult> RunFindscuAsync(string option, char model, params string[] keys) => RunFindscuAsync([option], model, keys);

    private async Task<ToolResult> RunFindscuAsync(string[] options, char model, params string[] keys)
    {
        ToolResult result = await Tool.RunAsync("findscu",
            ["-v", .. options, $"-{model}", "-aec", "PACSCLUSTER", .. keys.SelectMany(key => new[] { "-k", key }), "127.0.0.1", $"{population.Server.Port}"]);
        Assert.True(result.ExitCode == 0, result.Output);
        return result;
    }

    private static string Expand(string key)
    {
        foreach ((string label, string uid) in QueryPopulation.Studies) key = key.Replace("{" + label + "}", uid, StringComparison.Ordinal);
        return key;
    }

    private static string LabelOf(string level, IReadOnlyDictionary<string, string> answer)
    {
        if (level == "PATIENT") return "PAT:" + answer["PatientID"];
        string study = QueryPopulation.Studies.Single(entry => entry.Value == answer["StudyInstanceUID"]).Key;
        if (level == "STUDY") return study;
        string series = $"{study}.{(answer.TryGetValue("SeriesNumber", out string? number) && number.Length > 0 ? number : answer["SeriesInstanceUID"].Split('.')[^1])}";
        return level == "SERIES" ? series : $"{series}.{answer["InstanceNumber"]}";
    }

    private static (string Left, string Right) Split(string line, string separator)
    {
        int at = line.IndexOf(separator, StringComparison.Ordinal);
        return (line[..at].Trim(), line[(at + separator.Length)..].Trim());
    }
}
