using PacsCluster.Dicom;

namespace PacsCluster.Catalog.Tests;

/// <summary>What answers hold, at every level; identifiers that are refused; where instances lie.</summary>
public abstract partial class CatalogConformance
{
    private static readonly Tag s_seriesUid = new(0x0020_000E);
    private static readonly Tag s_sopUid = new(0x0008_0018);

    private static string Last(IEnumerable<SearchRow> rows, Tag tag) => string.Join(' ', rows.Select(r => r[tag]!["1.2.".Length..]).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("C-41 all series", "", "1.1 1.2 2.1 3.1 4.1 5.1 6.1")]
    [InlineData("C-41 series of a study", "0020000D=1.2.1", "1.1 1.2")]
    [InlineData("C-42 modality", "00080060=MR", "1.2 3.1 6.1")]
    [InlineData("C-42 series number is a number", "00200011=02", "1.1")]
    [InlineData("C-41 relational: a patient's key", "00100010=smith*|00080060=CT", "1.1 2.1")]
    [InlineData("C-42 list of UID", "0020000E=1.2.1.1\\1.2.3.1", "1.1 3.1")]
    [InlineData("C-42 sequence", "00400275/00400009=SP2", "1.1")]
    [InlineData("C-42 sequence not over two items", "00400275/00400009=SP2|00400275/00401001=RP1", "")]
    [InlineData("C-48 an instance's key", "00280010=256", "1.2")]
    public async Task Keys_at_series_level(string clause, string keys, string expected)
    {
        await FillAsync();
        Assert.Equal((clause, expected), (clause, Last(await FindAsync(QueryLevel.Series, keys, 0x0020_000E), s_seriesUid)));
    }

    [Theory]
    [InlineData("C-41 instances of a series", "0020000D=1.2.1|0020000E=1.2.1.2", "1.2.1 1.2.2")]
    [InlineData("C-42 instance number", "00200013=12", "1.2.2")]
    [InlineData("C-42 rows", "00280010=256", "1.2.2")]
    [InlineData("C-42 SOP class", "00080016=1.2.840.10008.5.1.4.1.1.88.33", "4.1.1")]
    [InlineData("C-42 transfer syntax", "00083002=1.2.840.10008.1.2.4.50", "")]
    [InlineData("C-41 relational: keys of all levels", "00100020=P1|00080020=202401*|0008103E=*", "BadValue")]
    [InlineData("C-41 relational: keys of all levels", "00100020=P1|00080020=20240101-20240131|00080060=MR|00200013=3", "1.2.1")]
    public async Task Keys_at_image_level(string clause, string keys, string expected)
    {
        await FillAsync();
        ParsedKeys<SearchRequest> parsed = MatchingKeys.Parse(Identifier(keys, 0x0008_0018), QueryLevel.Image, new MatchingOptions { Relational = true });
        string found = parsed.Failure is { } failure ? failure.Kind.ToString() : Last(await Catalog.SearchAsync(parsed.Request!, Ct).ToListAsync(Ct), s_sopUid);
        Assert.Equal((clause, expected), (clause, found));
    }

    [Fact]
    public async Task C_47_counts_and_derived_keys_are_returned()
    {
        await FillAsync();
        SearchRow study = Assert.Single(await FindAsync(QueryLevel.Study, "0020000D=1.2.1", 0x0020_1206, 0x0020_1208, 0x0008_0061, 0x0008_0062, 0x0008_0056, 0x0020_1200, 0x0020_1202, 0x0020_1204, 0x0010_0021));
        Assert.Equal(("2", "3", "CT\\MR", "1.2.840.10008.5.1.4.1.1.2", "ONLINE"),
            (study[new Tag(0x0020_1206)], study[new Tag(0x0020_1208)], study[new Tag(0x0008_0061)], study[new Tag(0x0008_0062)], study[new Tag(0x0008_0056)]));
        Assert.Equal(("2", "3", "4", "HOSP"), (study[new Tag(0x0020_1200)], study[new Tag(0x0020_1202)], study[new Tag(0x0020_1204)], study[new Tag(0x0010_0021)]));
        SearchRow series = Assert.Single(await FindAsync(QueryLevel.Series, "0020000E=1.2.1.2", 0x0020_1209, 0x0020_0011, 0x0008_0020));
        Assert.Equal(("2", "10", "20240115"), (series[new Tag(0x0020_1209)], series[new Tag(0x0020_0011)], series[new Tag(0x0008_0020)]));
        SearchRow patient = Assert.Single(await FindAsync(QueryLevel.Patient, "00100020=P1", 0x0010_0010, 0x0020_1200));
        Assert.Equal(("Smith^John", "2"), (patient[new Tag(0x0010_0010)], patient[new Tag(0x0020_1200)]));
        Assert.Equal(5, (await FindAsync(QueryLevel.Patient, "")).Count);
    }

    [Fact]
    public async Task C_46_every_key_asked_for_is_in_the_answer_with_value_or_empty()
    {
        await FillAsync();
        SearchRequest request = Request(QueryLevel.Study, Identifier("0020000D=1.2.1|00080060=CT", 0x0010_0010, 0x0008_1030, 0x0010_4000, 0x0018_0050, 0x0008_1032, 0x0040_0275));
        Assert.Empty(request.UnmatchedKeys);
        // Slice Thickness is nobody's key; Modality and Request Attributes are the series'.
        Assert.Equal([new Tag(0x0008_0060), new Tag(0x0018_0050), new Tag(0x0040_0275)], request.UnsupportedKeys.Order());
        DataSet answer = Assert.Single(await Catalog.SearchAsync(request, Ct).ToListAsync(Ct)).ToDataSet(CharacterSet.Default, TransferSyntax.ImplicitVRLittleEndian);
        answer = DataSet.Read(answer.ToArray(), TransferSyntax.ImplicitVRLittleEndian);
        Assert.Equal("STUDY", answer.GetString(new Tag(0x0008_0052)));
        Assert.Equal("Smith^John", answer.GetString(new Tag(0x0010_0010)));
        Assert.Equal("Thorax", answer.GetString(new Tag(0x0008_1030)));
        foreach (uint tag in (uint[])[0x0010_4000, 0x0018_0050, 0x0008_0060]) Assert.True(answer.TryGet(new Tag(tag), out DataElement empty) && empty.IsEmpty);
        Assert.True(answer.Contains(new Tag(0x0008_1032)) && answer.GetItems(new Tag(0x0008_1032)).Count == 0);
        Assert.False(answer.Contains(new Tag(0x0008_0005)), "plain ASCII needs no character set");
    }

    [Fact]
    public async Task C_46_a_key_that_is_not_matched_is_said()
    {
        await FillAsync();
        SearchRequest request = Request(QueryLevel.Study, Identifier("00180050=5|00201206=2|00100040=M", 0x0020_000D));
        Assert.Equal([new Tag(0x0018_0050), new Tag(0x0020_1206)], request.UnmatchedKeys.Order());
    }

    [Fact]
    public async Task C_46_sequences_come_back_item_by_item()
    {
        await FillAsync();
        DataSet study = Assert.Single(await FindAsync(QueryLevel.Study, "0020000D=1.2.2", 0x0008_1032, 0x0008_0051)).ToDataSet(CharacterSet.Utf8, TransferSyntax.ExplicitVRLittleEndian);
        Assert.Equal([("CODE1", "DCM"), ("CODE2", "L")], study.GetItems(new Tag(0x0008_1032)).Select(i => (i.GetString(new Tag(0x0008_0100)), i.GetString(new Tag(0x0008_0102)))));
        Assert.Equal("RIS", Assert.Single(study.GetItems(new Tag(0x0008_0051))).GetString(new Tag(0x0040_0031)));
        DataSet series = Assert.Single(await FindAsync(QueryLevel.Series, "0020000E=1.2.1.1", 0x0040_0275)).ToDataSet(CharacterSet.Utf8, TransferSyntax.ExplicitVRLittleEndian);
        Assert.Equal([("SP1", "RP1"), ("SP2", null)], series.GetItems(new Tag(0x0040_0275)).Select(i => (i.GetString(new Tag(0x0040_0009)), i.GetString(new Tag(0x0040_1001)))));
    }

    [Fact]
    public async Task C_50_the_answer_is_in_the_requesters_character_set_where_that_can_say_it()
    {
        await FillAsync();
        SearchRow german = Assert.Single(await FindAsync(QueryLevel.Study, "0020000D=1.2.4", 0x0010_0010));
        DataSet latin = german.ToDataSet(CharacterSet.FromTerms(["ISO_IR 100"]), TransferSyntax.ExplicitVRLittleEndian);
        Assert.Equal(("ISO_IR 100", "Müller^Jürgen"), (latin.GetString(new Tag(0x0008_0005)), latin.GetString(new Tag(0x0010_0010))));
        Assert.Equal("ISO_IR 192", german.ToDataSet(CharacterSet.Default, TransferSyntax.ExplicitVRLittleEndian).GetString(new Tag(0x0008_0005)));
        SearchRow japanese = Assert.Single(await FindAsync(QueryLevel.Study, "0020000D=1.2.5", 0x0010_0010));
        DataSet utf8 = japanese.ToDataSet(CharacterSet.FromTerms(["ISO_IR 100"]), TransferSyntax.ExplicitVRLittleEndian);
        Assert.Equal(("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう"), (utf8.GetString(new Tag(0x0008_0005)), utf8.GetString(new Tag(0x0010_0010))));
    }

    [Fact]
    public async Task C_46_at_image_level_keys_without_a_column_come_from_the_header()
    {
        await FillAsync();
        SearchRow row = Assert.Single(await FindAsync(QueryLevel.Image, "00080018=1.2.1.2.2", 0x0018_0050, 0x0018_1400, 0x0018_9999, 0x0028_0010, 0x0018_9346));
        Assert.Equal(("2.5", "256"), (row[new Tag(0x0018_0050)], row[new Tag(0x0028_0010)]));
        DataSet answer = row.ToDataSet(CharacterSet.Utf8, TransferSyntax.ImplicitVRLittleEndian);
        Assert.Equal(("2.5", 256, "Prötokoll"), (answer.GetString(new Tag(0x0018_0050)), answer.GetInt32(new Tag(0x0028_0010)), answer.GetString(new Tag(0x0018_1400))));
        Assert.True(answer.Contains(new Tag(0x0018_9346)));
    }

    [Theory]
    [InlineData("C-41", QueryRoot.Study, "", KeysFailureKind.NoLevel)]
    [InlineData("C-41", QueryRoot.Study, "00080052=FRAME", KeysFailureKind.NoLevel)]
    [InlineData("C-41", QueryRoot.Study, "00080052=PATIENT", KeysFailureKind.LevelNotInModel)]
    [InlineData("C-41", QueryRoot.Study, "00080052=SERIES", KeysFailureKind.UniqueKeyMissing)]
    [InlineData("C-41", QueryRoot.Study, "00080052=IMAGE|0020000D=1.2.1", KeysFailureKind.UniqueKeyMissing)]
    [InlineData("C-41", QueryRoot.Study, "00080052=IMAGE|0020000D=1.2.1|0020000E=1.2.1.1\\1.2.1.2", KeysFailureKind.UniqueKeyNotSingle)]
    [InlineData("C-41", QueryRoot.Patient, "00080052=STUDY", KeysFailureKind.UniqueKeyMissing)]
    [InlineData("C-41", QueryRoot.Patient, "00080052=STUDY|00100020=P*", KeysFailureKind.UniqueKeyNotSingle)]
    [InlineData("C-42", QueryRoot.Study, "00080052=STUDY|00080020=yesterday", KeysFailureKind.BadValue)]
    [InlineData("C-42", QueryRoot.Study, "00080052=STUDY|00080020=20240230", KeysFailureKind.BadValue)]
    [InlineData("C-42", QueryRoot.Study, "00080052=STUDY|00080030=25", KeysFailureKind.BadValue)]
    [InlineData("C-42", QueryRoot.Study, "00080052=SERIES|0020000D=1.2.1|00200011=x", KeysFailureKind.BadValue)]
    public void Identifiers_that_cannot_be_served_are_refused_by_name(string clause, QueryRoot root, string keys, KeysFailureKind kind)
    {
        ParsedKeys<SearchRequest> parsed = MatchingKeys.Parse(Identifier(keys), null, new MatchingOptions { Root = root });
        Assert.Equal((clause, kind), (clause, parsed.Failure?.Kind));
        Assert.InRange(parsed.Failure!.Comment.Length, 1, 64);
        Assert.Null(parsed.Request);
    }

    [Fact]
    public async Task C_41_hierarchical_queries_with_their_unique_keys()
    {
        await FillAsync();
        async Task<int> CountAsync(QueryRoot root, string keys) => await Catalog.SearchAsync(MatchingKeys.Parse(Identifier(keys), null, new MatchingOptions { Root = root }).Request!, Ct).CountAsync(Ct);
        Assert.Equal(2, await CountAsync(QueryRoot.Patient, "00080052=STUDY|00100020=P1"));
        Assert.Equal(2, await CountAsync(QueryRoot.Patient, "00080052=SERIES|00100020=P1|0020000D=1.2.1"));
        Assert.Equal(0, await CountAsync(QueryRoot.Patient, "00080052=SERIES|00100020=P7|0020000D=1.2.1"));
        Assert.Equal(2, await CountAsync(QueryRoot.Study, "00080052=IMAGE|0020000D=1.2.1|0020000E=1.2.1.2"));
        Assert.Equal(5, await CountAsync(QueryRoot.Patient, "00080052=PATIENT"));
    }

    [Fact]
    public void C_42_too_many_values_and_items_are_refused()
    {
        Assert.Equal(KeysFailureKind.TooManyValues, MatchingKeys.Parse(Identifier("0020000D=1\\2\\3"), QueryLevel.Study, new MatchingOptions { ValuesMax = 2 }).Failure?.Kind);
        DataSet identifier = Identifier("");
        identifier.SetItems(new Tag(0x0040_0275), [identifier.NewItem(), identifier.NewItem()]);
        Assert.Equal(KeysFailureKind.BadSequence, MatchingKeys.Parse(identifier, QueryLevel.Study, new MatchingOptions()).Failure?.Kind);
    }

    [Theory]
    [InlineData(false, "1 2 5")]
    [InlineData(true, "1 2")]
    public async Task C_43_date_and_time_ranges_are_one_when_negotiated(bool combined, string expected)
    {
        await FillAsync();
        DataSet identifier = Identifier("00080020=20231231-20240120|00080030=0600-1100", 0x0020_000D);
        if (combined) identifier = Identifier("00080020=20231231-20240120|00080030=0730-1100", 0x0020_000D);
        List<SearchRow> rows = await Catalog.SearchAsync(Request(QueryLevel.Study, identifier, new MatchingOptions { CombinedDateTime = combined }), Ct).ToListAsync(Ct);
        Assert.Equal(expected, Last(rows, s_studyUid));
        // Combined, the evening of an earlier day is within; each by itself it is not.
        identifier = Identifier("00080020=20240120-20240302|00080030=1000-0900", 0x0020_000D);
        rows = await Catalog.SearchAsync(Request(QueryLevel.Study, identifier, new MatchingOptions { CombinedDateTime = combined }), Ct).ToListAsync(Ct);
        Assert.Equal(combined ? "2 3 4" : "", Last(rows, s_studyUid));
    }

    [Fact]
    public async Task Limit_offset_order_and_paging_by_key()
    {
        await FillAsync();
        SearchRequest all = Request(QueryLevel.Study, Identifier("", 0x0020_000D));
        async Task<string> FindAsync(SearchRequest request) => string.Join(' ', (await Catalog.SearchAsync(request, Ct).ToListAsync(Ct)).Select(r => r[s_studyUid]!["1.2.".Length..]));
        Assert.Equal("4 3 2 1 5 6", await FindAsync(all with { Order = SearchOrder.NewestStudyFirst }));
        Assert.Equal("3 2", await FindAsync(all with { Order = SearchOrder.NewestStudyFirst, Limit = 2, Offset = 1 }));
        Assert.Equal("1 2 3 4 5 6", await FindAsync(all with { Order = SearchOrder.Stored }));
        Assert.Equal("", await FindAsync(all with { Limit = 0 }));
        Assert.Equal("2 1", await FindAsync(Request(QueryLevel.Study, Identifier("00100010=smith*", 0x0020_000D)) with { Order = SearchOrder.NewestStudyFirst, Limit = 5 }));

        List<string> paged = [];
        for (long after = 0; ;)
        {
            List<SearchRow> page = await Catalog.SearchAsync(all with { Order = SearchOrder.Stored, AfterKey = after, Limit = 2 }, Ct).ToListAsync(Ct);
            if (page.Count == 0) break;
            paged.AddRange(page.Select(r => r[s_studyUid]!));
            after = page[^1].Key;
        }
        Assert.Equal(6, paged.Distinct().Count());
        SearchRequest instances = Request(QueryLevel.Image, Identifier("0020000E=1.2.1.2", 0x0020_0013)) with { Order = SearchOrder.Number };
        Assert.Equal(["3", "12"], (await Catalog.SearchAsync(instances, Ct).ToListAsync(Ct)).Select(r => r[new Tag(0x0020_0013)]));
        SearchRequest series = Request(QueryLevel.Series, Identifier("", 0x0020_000E)) with { Order = SearchOrder.NewestStudyFirst, Limit = 1 };
        Assert.Equal("1.2.4.1", Assert.Single(await Catalog.SearchAsync(series, Ct).ToListAsync(Ct))[s_seriesUid]);
    }

    [Fact]
    public async Task A_page_of_a_name_by_components_is_right_however_many_candidates_fail()
    {
        var archive = new Archive(Writer);
        var changes = new CatalogChanges();
        // The newest 300 begin as the key does and fail by their given name.
        for (int i = 0; i < 304; i++)
        {
            await archive.AddAsync(changes, Archive.Header((0x0020_000D, $"1.2.{i}"), (0x0020_000E, $"1.2.{i}.1"), (0x0008_0018, $"1.2.{i}.1.1"), (0x0010_0020, $"P{i}"),
                (0x0010_0010, i < 4 ? $"Ash{i}^Bo" : $"Ash{i}^Cy"), (0x0008_0020, i < 4 ? $"2020010{i + 1}" : "20240101")));
        }
        await archive.CommitAsync(changes);
        async Task<string> FindAsync(string name, int limit, int offset)
        {
            SearchRequest request = Request(QueryLevel.Study, Identifier("00100010=" + name, 0x0020_000D)) with { Order = SearchOrder.Hierarchy, Limit = limit, Offset = offset };
            return string.Join(' ', (await Catalog.SearchAsync(request, Ct).ToListAsync(Ct)).Select(r => r[s_studyUid]!["1.2.".Length..]));
        }
        Assert.Equal("3", await FindAsync("A*^B*", 1, 0));
        Assert.Equal("2 1", await FindAsync("A*^B*", 2, 1));
        Assert.Equal("0", await FindAsync("A*^B*", 3, 3));
        Assert.Equal("", await FindAsync("A*^B*", 3, 4));
        Assert.Equal("3 2 1 0", await FindAsync("a*^bo", 1000, 0));
        Assert.Equal("303 302", await FindAsync("A*^C*", 2, 0));
    }

    [Fact]
    public async Task A_search_shows_the_survivor_of_a_merge()
    {
        await FillAsync();
        LoadedState state = await Writer.LoadAsync(new LoadRequest { Patients = [new("P1", "HOSP"), new("P7")] }, Ct);
        await Writer.CommitAsync(new CatalogChanges { Merges = { new PatientMerge(state.Patients[new("P7")], state.Patients[new("P1", "HOSP")]) } }, Ct);
        foreach (string keys in (string[])["00100020=P7", "00100020=P1", "00100020=P1|00100021=HOSP", "00100010=smith*"])
        {
            List<SearchRow> rows = await FindAsync(QueryLevel.Study, keys, 0x0020_000D, 0x0010_0020, 0x0010_0010);
            Assert.Equal(keys == "00100010=smith*" ? "1 2 5" : "1 2 5", Last(rows, s_studyUid));
            Assert.All(rows, r => Assert.Equal(("P1", "Smith^John"), (r[new Tag(0x0010_0020)], r[new Tag(0x0010_0010)])));
        }
        Assert.Equal(4, (await FindAsync(QueryLevel.Patient, "")).Count);
        Assert.Equal("P1", Assert.Single(await FindAsync(QueryLevel.Patient, "00100020=P7", 0x0010_0020))[new Tag(0x0010_0020)]);
        Assert.Equal("Smith^John", Assert.Single(await FindAsync(QueryLevel.Patient, "00101002/00100020=OLD7", 0x0010_0010))[new Tag(0x0010_0010)]);
        Assert.Equal(5, await Catalog.LocateAsync(new LocateRequest { Patients = [("P7", null)] }, Ct).CountAsync(Ct));
    }

    [Fact]
    public async Task A_search_stops_when_cancelled_or_left_and_frees_its_connection()
    {
        for (int i = 1; i <= 40; i++) await Archive.StoreAsync(Uids(i, patient: $"P{i}"));
        SearchRequest all = Request(QueryLevel.Study, Identifier("", 0x0020_000D));
        // More often than there are connections.
        for (int i = 0; i < 30; i++) Assert.NotNull(await Catalog.SearchAsync(all, Ct).FirstAsync(Ct));
        for (int i = 0; i < 30; i++)
        {
            using var cancel = new CancellationTokenSource();
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Catalog.SearchAsync(all, cancel.Token).CountAsync(Ct));
        }
        Assert.Equal(40, await Catalog.SearchAsync(all, Ct).CountAsync(Ct));
    }

    [Fact]
    public async Task C_55_instances_are_located_by_lists_of_unique_keys_at_every_level()
    {
        await FillAsync();
        async Task<string> LocateAsync(LocateRequest request) =>
            string.Join(' ', (await Catalog.LocateAsync(request, Ct).ToListAsync(Ct)).Select(l => l.SopInstanceUid["1.2.".Length..]));
        Assert.Equal("", await LocateAsync(new LocateRequest()));
        Assert.Equal("1.1.1 1.2.1 1.2.2", await LocateAsync(new LocateRequest { StudyInstanceUids = ["1.2.1"] }));
        Assert.Equal("1.1.1 1.2.1 1.2.2 3.1.1", await LocateAsync(new LocateRequest { StudyInstanceUids = ["1.2.3", "1.2.1", "1.2.1"] }));
        Assert.Equal("1.2.1 1.2.2 3.1.1", await LocateAsync(new LocateRequest { SeriesInstanceUids = ["1.2.3.1", "1.2.1.2"] }));
        Assert.Equal("1.2.1 1.2.2", await LocateAsync(new LocateRequest { StudyInstanceUids = ["1.2.1"], SeriesInstanceUids = ["1.2.3.1", "1.2.1.2"] }));
        Assert.Equal("1.2.2", await LocateAsync(new LocateRequest { SopInstanceUids = ["1.2.1.2.2"] }));
        Assert.Equal("", await LocateAsync(new LocateRequest { StudyInstanceUids = ["1.2.3"], SopInstanceUids = ["1.2.1.2.2"] }));
        Assert.Equal("1.1.1 1.2.1 1.2.2 2.1.1", await LocateAsync(new LocateRequest { Patients = [("P1", null)] }));
        Assert.Equal("3.1.1 4.1.1", await LocateAsync(new LocateRequest { Patients = [("DUP", null)] }));
        Assert.Equal("4.1.1", await LocateAsync(new LocateRequest { Patients = [("DUP", "CLINIC")] }));
        Assert.Equal("", await LocateAsync(new LocateRequest { Patients = [("DUP", "CLINIC")], StudyInstanceUids = ["1.2.3"] }));
        string[] many = [.. Enumerable.Range(0, 1000).Select(i => $"9.9.{i}"), "1.2.1.1.1", "1.2.4.1.1"];
        Assert.Equal("1.1.1 4.1.1", await LocateAsync(new LocateRequest { SopInstanceUids = many }));
        List<(InstanceLocation Location, HeaderRow Header)> headers = await Catalog.LocateHeadersAsync(new LocateRequest { SeriesInstanceUids = ["1.2.1.2"], StudyInstanceUids = ["1.2.1"] }, Ct).ToListAsync(Ct);
        Assert.Equal(["1.2.1.2.1", "1.2.1.2.2"], headers.Select(h => h.Header.ToDataSet(h.Location.TransferSyntaxUid).GetString(s_sopUid)));
    }

    [Fact]
    public void C_55_identifiers_of_retrieves()
    {
        static ParsedKeys<LocateRequest> Parse(string keys, QueryRoot root, bool relational = false) =>
            MatchingKeys.ParseRetrieve(Identifier(keys), new MatchingOptions { Root = root, Relational = relational });
        Assert.Equal(["1", "2"], Parse("00080052=STUDY|0020000D=1\\2", QueryRoot.Study).Request!.StudyInstanceUids);
        Assert.Equal(("1", "2"), (Parse("00080052=SERIES|0020000D=1|0020000E=2", QueryRoot.Study).Request!.StudyInstanceUids.Single(), Parse("00080052=SERIES|0020000D=1|0020000E=2", QueryRoot.Study).Request!.SeriesInstanceUids.Single()));
        Assert.Equal([("P", null)], Parse("00080052=PATIENT|00100020=P", QueryRoot.Patient).Request!.Patients);
        Assert.Equal([("P", "X")], Parse("00080052=PATIENT|00100020=P|00100021=X", QueryRoot.Patient).Request!.Patients);
        Assert.Empty(Parse("00080052=STUDY|00100020=P|0020000D=1", QueryRoot.Study).Request!.Patients);
        Assert.Equal(KeysFailureKind.UniqueKeyMissing, Parse("00080052=STUDY", QueryRoot.Study).Failure!.Kind);
        Assert.Equal(KeysFailureKind.UniqueKeyMissing, Parse("00080052=STUDY|0020000D=1", QueryRoot.Patient).Failure!.Kind);
        Assert.Equal(KeysFailureKind.UniqueKeyMissing, Parse("00080052=IMAGE|00080018=1", QueryRoot.Study).Failure!.Kind);
        Assert.NotNull(Parse("00080052=IMAGE|00080018=1", QueryRoot.Study, relational: true).Request);
        Assert.Equal(KeysFailureKind.LevelNotInModel, Parse("00080052=PATIENT|00100020=P", QueryRoot.Study).Failure!.Kind);
    }
}
