using System.Net;
using System.Text.Json;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Web.Tests.Search;

public sealed class SearchTests(SearchPopulation population) : IClassFixture<SearchPopulation>
{
    private HttpClient Client => population.Server.Client;

    private async Task<JsonElement[]> FindAsync(string resource)
    {
        using HttpResponseMessage response = await Client.GetAsync(resource, TestContext.Current.CancellationToken);
        if (response.StatusCode == HttpStatusCode.NoContent) return [];
        string body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{resource}: {response.StatusCode} {body}");
        Assert.Equal("application/dicom+json", response.Content.Headers.ContentType?.ToString());
        return [.. JsonDocument.Parse(body).RootElement.EnumerateArray()];
    }

    private static string? Value(JsonElement result, string keyword, int index = 0) => result.TryGetProperty(Synthetic.Hex(keyword), out JsonElement attribute) && attribute.TryGetProperty("Value", out JsonElement values)
        ? values[index].ValueKind == JsonValueKind.Object ? values[index].GetProperty("Alphabetic").GetString() : values[index].ToString()
        : null;

    private static string[] Uids(JsonElement[] results, string keyword) => [.. results.Select(r => Value(r, keyword)!)];

    [Theory]
    [InlineData("studies", 6)]
    [InlineData("patients", 6)]
    [InlineData("series", 21)]
    [InlineData("instances", 42)]
    [InlineData("studies/1.9.3/series", 3)]
    [InlineData("studies/1.9.3/instances", 6)]
    [InlineData("studies/1.9.3/series/1.9.3.2/instances", 2)]
    [InlineData("studies/1.9.77/series", 0)]
    [InlineData("studies?PatientID=nobody", 0)]
    public async Task C_74_every_resource_answers_its_level_and_nothing_is_204(string resource, int count) => Assert.Equal(count, (await FindAsync(resource)).Length);

    [Theory]
    [InlineData("PatientID=P3", "3")]
    [InlineData("00100020=P3", "3")]
    [InlineData("PatientID=P3&PatientID=P4", "43")]
    [InlineData("PatientID=P%33", "3")]
    [InlineData("StudyInstanceUID=1.9.2,1.9.5", "52")]
    [InlineData("StudyInstanceUID=1.9.2%5C1.9.5", "52")]
    [InlineData("PatientName=smith*", "21")]
    [InlineData("PatientName=SMITH%5E*", "1")]
    [InlineData("PatientName=m%C3%BCller*", "3")]
    [InlineData("PatientName=muller*", "3")]
    [InlineData("PatientName=%E5%B1%B1%E7%94%B0*", "4")]
    [InlineData("PatientName=S?????%5EH*", "")]
    [InlineData("PatientName=S??????%5EH*", "6")]
    [InlineData("StudyDate=20240103", "3")]
    [InlineData("StudyDate=20240103-20240105", "543")]
    [InlineData("StudyDate=-20240102", "21")]
    [InlineData("StudyDate=20240105-", "65")]
    [InlineData("StudyTime=113000-123100", "21")]
    [InlineData("AccessionNumber=A?&StudyID=1", "654321")]
    [InlineData("ModalitiesInStudy=MR", "531")]
    [InlineData("ModalitiesInStudy=MR,CT", "654321")]
    [InlineData("ModalitiesInStudy=US", "")]
    [InlineData("ReferringPhysicianName=ref*", "654321")]
    [InlineData("PatientSex=F&StudyDate=20240104-", "64")]
    [InlineData("StudyDescription=*4,*", "4")]
    [InlineData("Modality=MR", "531")]
    [InlineData("SeriesInstanceUID=1.9.4.2", "4")]
    [InlineData("SOPInstanceUID=1.9.5.1.2", "5")]
    [InlineData("PatientBirthDate=19200101-19300101", "32")]
    public async Task C_75_keys_match_by_keyword_tag_list_wildcard_and_range(string query, string studies) =>
        Assert.Equal(studies, string.Concat((await FindAsync("studies?" + query)).Select(s => Value(s, "StudyInstanceUID")![^1])));

    [Theory]
    [InlineData("series?RequestAttributesSequence.ScheduledProcedureStepID=SPS42", "1.9.4.2")]
    [InlineData("series?00400275.00400009=SPS42&00400275.00401001=RP4", "1.9.4.2")]
    [InlineData("series?00400275.00400009=SPS42&00400275.00401001=RP5", "")]
    [InlineData("studies/1.9.5/series?00400275.00401001=RP5&SeriesNumber=9", "1.9.5.1")]
    public async Task C_75_dotted_paths_match_within_one_item(string resource, string series) => Assert.Equal(series, string.Join(' ', Uids(await FindAsync(resource), "SeriesInstanceUID")));

    [Fact]
    public async Task C_76_a_study_has_the_attributes_of_table_10_6_3_3_in_order()
    {
        JsonElement study = Assert.Single(await FindAsync("studies?PatientID=P4"));
        string[] keys = [.. study.EnumerateObject().Select(p => p.Name)];
        Assert.Equal([.. keys.Order(StringComparer.Ordinal)], keys);
        foreach (string keyword in (string[])["SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "InstanceAvailability", "ModalitiesInStudy", "ReferringPhysicianName", "RetrieveURL",
            "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"])
        {
            Assert.True(Value(study, keyword) is { Length: > 0 }, keyword);
        }
        Assert.False(study.TryGetProperty(Synthetic.Hex("TimezoneOffsetFromUTC"), out _));
        Assert.Equal("4", Value(study, "NumberOfStudyRelatedSeries"));
        Assert.Equal(JsonValueKind.Number, study.GetProperty(Synthetic.Hex("NumberOfStudyRelatedInstances")).GetProperty("Value")[0].ValueKind);
        Assert.Equal("8", Value(study, "NumberOfStudyRelatedInstances"));
        Assert.Equal("CT", Value(study, "ModalitiesInStudy"));
        Assert.Equal($"{population.Server.Root}/studies/1.9.4", Value(study, "RetrieveURL"));
        Assert.Equal("""{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"}""", study.GetProperty(Synthetic.Hex("PatientName")).GetProperty("Value")[0].GetRawText());
        JsonElement zoned = Assert.Single(await FindAsync("studies?PatientID=P6"));
        Assert.Equal("+0900", Value(zoned, "TimezoneOffsetFromUTC"));
    }

    [Fact]
    public async Task C_76_series_and_instances_have_theirs_and_those_of_the_levels_that_the_path_leaves_open()
    {
        JsonElement series = (await FindAsync("studies/1.9.3/series"))[0];
        foreach (string keyword in (string[])["Modality", "SeriesDescription", "RetrieveURL", "SeriesInstanceUID", "SeriesNumber", "NumberOfSeriesRelatedInstances"]) Assert.True(Value(series, keyword) is { Length: > 0 }, keyword);
        Assert.False(series.TryGetProperty(Synthetic.Hex("PatientName"), out _));
        Assert.Equal("SPS33", series.GetProperty(Synthetic.Hex("RequestAttributesSequence")).GetProperty("Value")[0].GetProperty(Synthetic.Hex("ScheduledProcedureStepID")).GetProperty("Value")[0].GetString());
        Assert.Equal("Schmidt^Hanna", Value((await FindAsync("series"))[0], "PatientName"));
        JsonElement instance = (await FindAsync("instances?SOPInstanceUID=1.9.2.1.2"))[0];
        foreach (string keyword in (string[])["SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "Modality", "StudyDate", "AvailableTransferSyntaxUID"]) Assert.True(Value(instance, keyword) is { Length: > 0 }, keyword);
        Assert.Equal($"{population.Server.Root}/studies/1.9.2/series/1.9.2.1/instances/1.9.2.1.2", Value(instance, "RetrieveURL"));
        Assert.Equal(JsonValueKind.Number, instance.GetProperty(Synthetic.Hex("Rows")).GetProperty("Value")[0].ValueKind);
        Assert.True(instance.TryGetProperty(Synthetic.Hex("NumberOfFrames"), out JsonElement frames) && !frames.TryGetProperty("Value", out _), "asked for by default and empty: present, without a value");
    }

    [Fact]
    public async Task C_76_includefield_adds_by_keyword_tag_and_list_and_all_adds_what_there_is()
    {
        JsonElement some = (await FindAsync("studies?PatientID=P1&includefield=PatientWeight,00081030&includefield=PatientAge"))[0];
        Assert.Equal("71", Value(some, "PatientWeight"));
        Assert.Equal("Study 1, of a \"kind\"", Value(some, "StudyDescription"));
        Assert.True(some.TryGetProperty(Synthetic.Hex("PatientAge"), out _), "asked for and not known: present and empty");
        Assert.Equal("71", Value((await FindAsync("studies?PatientID=P1&includefield=all"))[0], "PatientWeight"));
        JsonElement all = (await FindAsync("studies/1.9.1/series/1.9.1.1/instances?includefield=all"))[0];
        string[] keys = [.. all.EnumerateObject().Select(p => p.Name)];
        Assert.Equal([.. keys.Order(StringComparer.Ordinal).Distinct()], keys);
        Assert.Equal("2.50", all.GetProperty(Synthetic.Hex("SliceThickness")).GetProperty("Value")[0].GetRawText());
        Assert.Equal("Smith^John", Value(all, "PatientName"));
        Assert.False(all.TryGetProperty(Synthetic.Hex("PixelData"), out _));
        Assert.Equal("2.50", (await FindAsync("instances?SOPInstanceUID=1.9.1.1.1&includefield=SliceThickness"))[0].GetProperty(Synthetic.Hex("SliceThickness")).GetProperty("Value")[0].GetRawText());
    }

    [Theory]
    [InlineData("studies", "StudyInstanceUID", 6)]
    [InlineData("series", "SeriesInstanceUID", 21)]
    [InlineData("instances", "SOPInstanceUID", 42)]
    [InlineData("series?Modality=CT", "SeriesInstanceUID", 18)]
    [InlineData("instances?PatientName=*i*", "SOPInstanceUID", 28)]
    [InlineData("series?orderby=Modality", "SeriesInstanceUID", 21)]
    public async Task C_77_pages_have_a_total_order_and_say_how_many_are_left(string resource, string key, int total)
    {
        List<string> paged = [];
        for (int offset = 0; offset < total; offset += 4)
        {
            using HttpResponseMessage response = await Client.GetAsync($"{resource}{(resource.Contains('?') ? '&' : '?')}limit=4&offset={offset}", TestContext.Current.CancellationToken);
            int left = total - offset - 4;
            string[] warnings = response.Headers.TryGetValues("Warning", out IEnumerable<string>? values) ? [.. values] : [];
            string said = left < 25 ? $"{left}" : "at least 25";
            if (left > 0) Assert.Equal([$"299 {population.Server.Host.Authority} \"There are {said} additional results that can be requested\""], warnings);
            else Assert.Empty(warnings);
            paged.AddRange(JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.EnumerateArray().Select(r => Value(r, key)!));
        }
        Assert.Equal(Uids(await FindAsync(resource), key), paged);
        Assert.Equal(total, paged.Distinct().Count());
    }

    [Fact]
    public async Task C_77_orders_studies_newest_first_series_and_instances_by_number_and_as_orderby_says()
    {
        Assert.Equal(["1.9.6", "1.9.5", "1.9.4", "1.9.3", "1.9.2", "1.9.1"], Uids(await FindAsync("studies"), "StudyInstanceUID"));
        Assert.Equal(["1.9.3.3", "1.9.3.2", "1.9.3.1"], Uids(await FindAsync("studies/1.9.3/series"), "SeriesInstanceUID"));
        Assert.Equal(["1.9.3.3.2", "1.9.3.3.1"], Uids(await FindAsync("studies/1.9.3/series/1.9.3.3/instances"), "SOPInstanceUID"));
        Assert.Equal(["Müller^Jürgen", "O'Brien^Pat", "Schmidt^Hanna", "Smith^John", "Smithers^Ann", "Yamada^Tarou"], Uids(await FindAsync("studies?orderby=PatientName"), "PatientName"));
        Assert.Equal(["1.9.5", "1.9.3", "1.9.1", "1.9.6", "1.9.4", "1.9.2"], Uids(await FindAsync("studies?orderby=-PatientSex,-StudyDate"), "StudyInstanceUID"));
        Assert.Equal("654321", string.Concat(Uids(await FindAsync("studies?orderby=-NumberOfStudyRelatedSeries"), "NumberOfStudyRelatedSeries")));
    }

    [Fact]
    public async Task C_48_counts_and_modalities_stay_right_when_narrowed_by_them_and_paged()
    {
        JsonElement[] page = await FindAsync("studies?ModalitiesInStudy=MR&limit=2&offset=1");
        Assert.Equal(["1.9.3", "1.9.1"], Uids(page, "StudyInstanceUID"));
        Assert.Equal(["3", "1"], Uids(page, "NumberOfStudyRelatedSeries"));
        Assert.Equal("""["MR","CT"]""", page[0].GetProperty(Synthetic.Hex("ModalitiesInStudy")).GetProperty("Value").GetRawText());
    }

    [Theory]
    [InlineData("studies?NoSuchThing=1", "NoSuchThing")]
    [InlineData("studies?Rows=2&00091001=x", "00091001")]
    [InlineData("studies?SliceThickness=2.5", "SliceThickness")]
    [InlineData("studies?includefield=NoSuchThing", "NoSuchThing")]
    [InlineData("studies?emptyvaluematching=true", "emptyvaluematching")]
    public async Task C_79_what_cannot_be_matched_is_named_in_a_warning(string resource, string name)
    {
        using HttpResponseMessage response = await Client.GetAsync(resource, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains(name, Assert.Single(response.Headers.GetValues("Warning")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("studies?StudyDate=yesterday")]
    [InlineData("studies?limit=many")]
    [InlineData("studies?offset=-1")]
    [InlineData("studies?fuzzymatching=perhaps")]
    [InlineData("studies?orderby=RequestAttributesSequence.ScheduledProcedureStepID")]
    [InlineData("studies?orderby=SliceThickness")]
    [InlineData("studies?RequestAttributesSequence=1")]
    [InlineData("studies/1.9.*/series")]
    [InlineData("studies/1.9.1/series?StudyInstanceUID=1.9.2")]
    public async Task A_search_that_makes_no_sense_is_400_with_what_to_do_next(string resource)
    {
        using HttpResponseMessage response = await Client.GetAsync(resource, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        using JsonDocument problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.NotEmpty(problem.RootElement.GetProperty("next").GetString()!);
    }

    [Fact]
    public async Task C_70_what_no_search_can_answer_is_406_with_what_it_can()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "studies");
        request.Headers.TryAddWithoutValidation("Accept", "image/png");
        using HttpResponseMessage response = await Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotAcceptable, response.StatusCode);
        Assert.Contains("application/dicom+json", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Smyth", "61")]
    [InlineData("john smith", "1")]
    [InlineData("Jon^Schmid", "1")]
    [InlineData("Mueller", "3")]
    [InlineData("jurgen mul", "3")]
    [InlineData("hannah", "6")]
    [InlineData("Obrien", "")]
    [InlineData("Brian Pat", "5")]
    [InlineData("%E5%A4%AA%E9%83%8E", "4")]
    [InlineData("*", "654321")]
    public async Task C_78_fuzzy_names_match_by_the_beginning_or_the_sound_of_their_words_in_any_order(string name, string studies)
    {
        string found = string.Concat((await FindAsync($"studies?fuzzymatching=true&PatientName={name}")).Select(s => Value(s, "StudyInstanceUID")![^1]));
        Assert.Equal(studies, found);
    }

    [Fact]
    public async Task C_78_fuzzy_matching_says_which_names_it_is_not_done_for()
    {
        using HttpResponseMessage response = await Client.GetAsync("studies?fuzzymatching=true&ReferringPhysicianName=ref*", TestContext.Current.CancellationToken);
        Assert.Contains("Fuzzy matching is done for PatientName only", Assert.Single(response.Headers.GetValues("Warning")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_95_results_come_as_one_XML_document_a_part()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "studies?PatientName=smith*");
        request.Headers.TryAddWithoutValidation("Accept", "multipart/related; type=\"application/dicom+xml\"");
        using HttpResponseMessage response = await Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.True(MediaType.TryParse(response.Content.Headers.ContentType!.ToString(), out MediaType? type));
        Assert.Equal("application/dicom+xml", type!["type"]);
        using var reader = new PartReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), type["boundary"]!);
        List<string> names = [];
        while (await reader.NextAsync(TestContext.Current.CancellationToken) is { } part)
        {
            Assert.Equal("application/dicom+xml", part.ContentType?.Essence);
            using var document = new MemoryStream();
            await part.Body.CopyToAsync(document, TestContext.Current.CancellationToken);
            document.Position = 0;
            DataSet study = NativeModel.Read(document);
            Assert.StartsWith(population.Server.Root, study.GetString(Synthetic.Tag("RetrieveURL")), StringComparison.Ordinal);
            names.Add(study.GetString(Synthetic.Tag("PatientName"))!);
        }
        Assert.Equal(["Smithers^Ann", "Smith^John"], names);
    }

    /// <summary>Python's csv module is the judge.</summary>
    [Theory]
    [InlineData("studies?includefield=StudyDescription", "StudyInstanceUID,StudyDescription,ModalitiesInStudy,NumberOfStudyRelatedInstances,RetrieveURL,PatientID")]
    [InlineData("studies/1.9.3/series?includefield=PatientComments", "SeriesInstanceUID,Modality,SeriesNumber,RetrieveURL,PatientComments")]
    [InlineData("instances?limit=5&offset=3", "SOPInstanceUID,Rows,InstanceNumber,RetrieveURL")]
    [InlineData("patients", "PatientID")]
    public async Task C_95_results_come_as_CSV_with_the_values_of_the_JSON(string resource, string columns)
    {
        using HttpResponseMessage response = await population.Server.GetAsync(resource, "text/csv");
        Assert.Equal("text/csv; charset=utf-8; header=present", response.Content.Headers.ContentType!.ToString());
        using var folder = new TempFolder();
        await File.WriteAllBytesAsync(folder.At("rows.csv"), await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        ToolResult read = await Tool.RunAsync("/usr/bin/python3", ["-c", "import csv, json, sys; print(json.dumps(list(csv.DictReader(open(sys.argv[1], encoding='utf-8', newline=''), strict=True))))", folder.At("rows.csv")]);
        Assert.True(read.ExitCode == 0, read.Output);
        JsonElement[] rows = [.. JsonDocument.Parse(read.Output).RootElement.EnumerateArray()], expected = await FindAsync(resource);
        Assert.Equal(expected.Length, rows.Length);
        foreach ((JsonElement row, JsonElement one) in rows.Zip(expected))
        {
            foreach (string column in columns.Split(','))
            {
                int values = one.TryGetProperty(Synthetic.Hex(column), out JsonElement attribute) && attribute.TryGetProperty("Value", out JsonElement all) ? all.GetArrayLength() : 0;
                Assert.Equal(string.Join('\\', Enumerable.Range(0, values).Select(i => Value(one, column, i))), row.GetProperty(column).GetString());
            }
        }
    }

    [Fact]
    public async Task C_95_a_value_that_a_spreadsheet_would_run_is_text_in_CSV()
    {
        await using WebServer server = await WebServer.StartAsync();
        await server.StoreAsync(Synthetic.File(Synthetic.Instance("1.2", "1.2.1", "1.2.1.1", ("PatientID", "=1+2\"x"), ("AccessionNumber", "-1"), ("StudyID", "@SUM"))));
        string csv = System.Text.Encoding.UTF8.GetString(await server.GetBytesAsync("studies", "text/csv"));
        Assert.Contains(",\"'=1+2\"\"x\",", csv, StringComparison.Ordinal);
        Assert.Contains(",'@SUM,", csv, StringComparison.Ordinal);
        Assert.Contains(",-1,", csv, StringComparison.Ordinal);
        Assert.EndsWith("\r\n", csv, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HEAD_of_a_search_has_its_headers_and_no_body()
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, "studies?limit=2");
        using HttpResponseMessage response = await Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains("There are 4 additional results", Assert.Single(response.Headers.GetValues("Warning")), StringComparison.Ordinal);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task C_96_to_C_104_pydicom_reads_every_result()
    {
        ToolResult judged = await Tool.RunAsync("/usr/bin/python3", [Path.Combine(AppContext.BaseDirectory, "Search", "search_judge.py"), population.Server.Root]);
        Assert.True(judged.ExitCode == 0 && judged.Output.Contains("read 75 results", StringComparison.Ordinal), judged.Output);
    }

    [Fact]
    public async Task C_78_C_79_strict_servers_refuse_unknown_keys_and_literal_ones_say_that_names_were_matched_literally()
    {
        await using WebServer strict = await WebServer.StartAsync(new WebOptions { Search = new SearchOptions { Strict = true, FuzzyMatching = false } });
        await strict.StoreAsync(Synthetic.File(Synthetic.Instance("1.2", "1.2.1", "1.2.1.1", ("PatientName", "Meyer^A"))));
        foreach (string query in (string[])["NoSuchThing=1", "SliceThickness=2", "includefield=NoSuchThing"])
        {
            using HttpResponseMessage refused = await strict.Client.GetAsync("studies?" + query, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }
        using HttpResponseMessage literal = await strict.Client.GetAsync("studies?PatientName=Meyer*&fuzzymatching=true", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, literal.StatusCode);
        Assert.Contains("Only literal matching has been performed", Assert.Single(literal.Headers.GetValues("Warning")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_77_a_search_without_limit_ends_at_the_servers_and_says_so()
    {
        await using WebServer small = await WebServer.StartAsync(new WebOptions { Search = new SearchOptions { ResultsMax = 2 } });
        for (int i = 1; i <= 3; i++) await small.StoreAsync(Synthetic.File(Synthetic.Instance($"1.2.{i}", $"1.2.{i}.1", $"1.2.{i}.1.1", ("PatientID", $"{i}"))));
        using HttpResponseMessage response = await small.Client.GetAsync("studies?limit=50", TestContext.Current.CancellationToken);
        Assert.Equal(2, JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetArrayLength());
        Assert.Contains("There are 1 additional results", Assert.Single(response.Headers.GetValues("Warning")), StringComparison.Ordinal);
    }
}
