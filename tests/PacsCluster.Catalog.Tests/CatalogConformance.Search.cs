using PacsCluster.Dicom;

namespace PacsCluster.Catalog.Tests;

/// <summary>Search semantics (PS3.4 C.2.2.2, C.4.1): a small archive, and a table of keys with what they find.</summary>
public abstract partial class CatalogConformance
{
    private static readonly Tag s_studyUid = new(0x0020_000D);

    /// <summary>Keys at STUDY level and the studies found, by the last number of their UID. <c>|</c> separates keys, <c>/</c> goes into a sequence.</summary>
    public static TheoryData<string, string, string> StudyKeys => new()
    {
        // single value, universal, list
        { "C-42 no key", "", "1 2 3 4 5 6" },
        { "C-42 universal", "00100020=|00100010=*|00080020=*", "1 2 3 4 5 6" },
        { "C-49 Patient ID", "00100020=P1", "1 2" },
        { "C-49 Patient ID is case-sensitive", "00100020=p1", "" },
        { "C-49 Patient ID and issuer", "00100020=P1|00100021=HOSP", "1 2" },
        { "C-49 Patient ID and another issuer", "00100020=P1|00100021=CLINIC", "" },
        { "C-49 one ID of two issuers", "00100020=DUP", "3 4" },
        { "C-49 one ID of two issuers, one of them", "00100020=DUP|00100021=CLINIC", "4" },
        { "C-49 issuer alone", "00100021=CLINIC", "4" },
        { "C-49 Patient ID wildcard", "00100020=P*", "1 2 5" },
        { "C-49 Patient ID wildcard one character", "00100020=P?", "1 2 5" },
        { "C-49 Other Patient IDs Sequence", "00101002/00100020=OLD7", "5" },
        { "C-49 Other Patient IDs Sequence with issuer", "00101002/00100020=OLD7|00101002/00100021=ELSEWHERE", "5" },
        { "C-49 Other Patient IDs Sequence with another issuer", "00101002/00100020=OLD7|00101002/00100021=HOSP", "" },
        { "C-49 another ID does not identify", "00100020=OLD7", "" },
        { "C-42 accession number", "00080050=ACC3", "3" },
        { "C-42 accession number is not a prefix", "00080050=ACC", "" },
        { "C-42 accession number wildcard", "00080050=ACC?", "1 2 3 4 5" },
        { "C-42 accession wildcard in the middle", "00080050=A*3", "3" },
        { "C-42 percent and underscore are characters", "00080050=A%", "" },
        { "C-42 escape character is a character", "00080050=~*", "6" },
        { "C-42 list of UID", "0020000D=1.2.1\\1.2.3\\9.9", "1 3" },
        { "C-42 UIDs have no wildcards", "0020000D=1.2.?", "" },
        { "C-45 several values of CS are or", "00100040=M\\O", "1 2 4 5" },
        { "C-42 Study ID", "00200010=S1", "1 4" },
        // ranges
        { "C-42 date", "00080020=20240115", "1" },
        { "C-42 date range", "00080020=20240101-20240131", "1 2" },
        { "C-42 date from", "00080020=20240201-", "3 4" },
        { "C-42 date until", "00080020=-20231231", "5" },
        { "C-42 date of ACR-NEMA", "00080020=2024.01.15", "1" },
        { "C-42 two dates", "00080020=20240115\\20240301", "1 4" },
        { "C-42 time", "00080030=101500", "1" },
        { "C-42 time of less precision is its interval", "00080030=10", "1 2" },
        { "C-42 time range", "00080030=1000-1016", "1" },
        { "C-42 time range to the second", "00080030=101500-101500", "1" },
        { "C-42 time from", "00080030=1200-", "3 4" },
        { "C-42 time until", "00080030=-0959", "5" },
        { "C-42 date and time each", "00080020=20240115-20240201|00080030=1000-1200", "1 2 3" },
        // names
        { "C-44 name prefix", "00100010=SM*", "1 2 3" },
        { "C-44 names do not mind case", "00100010=sm*", "1 2 3" },
        { "C-44 names do not mind accents", "00100010=Muller^Jurgen", "4" },
        { "C-44 names with accents", "00100010=MÜLLER^JÜRGEN", "4" },
        { "C-44 whole name", "00100010=Smith^John", "1 2" },
        { "C-44 family name alone is not the whole name", "00100010=Smith", "" },
        { "C-44 components", "00100010=*^J*", "1 2 4" },
        { "C-44 a component does not run over", "00100010=S*^A*", "3" },
        { "C-44 given name", "00100010=*^*jane*", "" },
        { "C-44 open component", "00100010=Smart^*", "3" },
        { "C-44 in the middle", "00100010=*mit*", "1 2" },
        { "C-44 one character", "00100010=Sm?th^John", "1 2" },
        { "C-44 alphabetic group", "00100010=Yamada^Tarou", "5" },
        { "C-44 ideographic group by itself", "00100010=山田*", "5" },
        { "C-44 ideographic group in its place", "00100010==山田^太郎", "5" },
        { "C-44 phonetic group", "00100010===やまだ*", "5" },
        { "C-44 phonetic group by itself", "00100010=やまだ*", "5" },
        { "C-44 groups together", "00100010=Yamada*=山田*=やまだ*", "5" },
        { "C-44 groups that disagree", "00100010=Yamada*=田中*", "" },
        { "C-44 group that the name has not", "00100010=Smith^John=山田*", "1 2" },
        { "C-44 Referring Physician", "00080090=house*", "1 3" },
        { "C-44 Referring Physician whole", "00080090=House^Gregory", "1" },
        // series and below
        { "C-48 Modalities in Study", "00080061=CT", "1 2" },
        { "C-48 Modalities in Study several", "00080061=CT\\SR", "1 2 4" },
        { "C-48 Modalities in Study none", "00080061=XA", "" },
        { "C-48 Modalities in Study wildcard", "00080061=M*", "1 3 5 6" },
        { "C-48 Modalities in Study with date", "00080061=MR|00080020=20240101-20240131", "1" },
        { "C-48 a key of the series", "00180015=HEAD", "1" },
        { "C-48 keys of one series", "00080060=MR|00180015=HEAD", "1" },
        { "C-48 keys of two series are not those of one", "00080060=CT|00180015=HEAD", "" },
        { "C-48 Series Instance UID leads to its study", "0020000E=1.2.3.1", "3" },
        { "C-48 SOP Instance UID leads to its study", "00080018=1.2.4.1.1", "4" },
        { "C-48 SOP Classes in Study", "00080062=1.2.840.10008.5.1.4.1.1.88.33", "4" },
        { "C-42 sequence matching", "00400275/00401001=RP1", "1" },
        { "C-42 sequence matching of the same item", "00081032/00080100=CODE2|00081032/00080102=L", "2" },
        { "C-42 sequence matching not over two items", "00081032/00080100=CODE1|00081032/00080102=L", "" },
        { "C-42 Issuer of Accession Number", "00080051/00400031=RIS", "2" },
        { "C-42 several values stored", "00081080=Fracture", "3" },
        { "C-42 several values stored, wildcard", "00081080=Cou*", "3" },
        // together
        { "all together", "00100010=S*|00080020=20240101-|00080061=CT|00100040=M|00080050=ACC*", "1 2" },
    };

    private async Task FillAsync()
    {
        static DataSet Item(DataSet owner, params (uint Tag, string Value)[] values)
        {
            DataSet item = owner.NewItem();
            foreach ((uint tag, string value) in values) item.Set(new Tag(tag), value);
            return item;
        }
        (uint, string)[] smith = [(0x0010_0010, "Smith^John"), (0x0010_0021, "HOSP"), (0x0010_0040, "M")];
        DataSet one = Archive.Header([.. Uids(1), .. smith, (0x0008_0020, "20240115"), (0x0008_0030, "101500"), (0x0008_0050, "ACC1"), (0x0008_0060, "CT"), (0x0008_0090, "House^Gregory"),
            (0x0020_0010, "S1"), (0x0018_0015, "CHEST"), (0x0008_1030, "Thorax"), (0x0020_0011, "2")]);
        one.SetItems(new Tag(0x0040_0275), [Item(one, (0x0040_1001, "RP1"), (0x0040_0009, "SP1")), Item(one, (0x0040_0009, "SP2"))]);
        await Archive.StoreAsync(one);
        await Archive.StoreAsync([.. Uids(1, series: 2), .. smith, (0x0008_0020, "20240115"), (0x0008_0060, "MR"), (0x0018_0015, "HEAD"), (0x0020_0011, "10"), (0x0020_0013, "3")]);
        await Archive.StoreAsync([.. Uids(1, series: 2, instance: 2), .. smith, (0x0008_0060, "MR"), (0x0020_0013, "12"), (0x0028_0010, "256"), (0x0018_0050, "2.5"), (0x0018_1400, "Prötokoll")]);
        DataSet two = Archive.Header([.. Uids(2), .. smith, (0x0008_0020, "20240120"), (0x0008_0030, "103000.25"), (0x0008_0050, "ACC2"), (0x0008_0060, "CT")]);
        two.SetItems(new Tag(0x0008_1032), [Item(two, (0x0008_0100, "CODE1"), (0x0008_0102, "DCM")), Item(two, (0x0008_0100, "CODE2"), (0x0008_0102, "L"))]);
        two.SetItems(new Tag(0x0008_0051), [Item(two, (0x0040_0031, "RIS"))]);
        await Archive.StoreAsync(two);
        await Archive.StoreAsync([.. Uids(3, patient: "DUP"), (0x0010_0010, "Smart^Anne"), (0x0010_0021, "HOSP"), (0x0010_0040, "F"), (0x0008_0020, "20240201"), (0x0008_0030, "120000"),
            (0x0008_0050, "ACC3"), (0x0008_0060, "MR"), (0x0008_0090, "Housekeeper^X"), (0x0008_1080, "Cough\\Fracture")]);
        await Archive.StoreAsync([.. Uids(4, patient: "DUP"), (0x0010_0010, "Müller^Jürgen"), (0x0010_0021, "CLINIC"), (0x0010_0040, "O"), (0x0008_0020, "20240301"), (0x0008_0030, "235959"),
            (0x0008_0050, "ACC4"), (0x0008_0060, "SR"), (0x0020_0010, "S1"), (0x0008_0016, "1.2.840.10008.5.1.4.1.1.88.33")]);
        DataSet five = Archive.Header([.. Uids(5, patient: "P7"), (0x0010_0010, "Yamada^Tarou=山田^太郎=やまだ^たろう"), (0x0010_0040, "M"), (0x0008_0020, "20231231"), (0x0008_0030, "07"),
            (0x0008_0050, "ACC5"), (0x0008_0060, "MG")]);
        five.SetItems(new Tag(0x0010_1002), [Item(five, (0x0010_0020, "OLD7"), (0x0010_0021, "ELSEWHERE"))]);
        await Archive.StoreAsync(five);
        await Archive.StoreAsync([.. Uids(6)[..3], (0x0008_0060, "MR"), (0x0008_0050, "~1")]);
    }

    /// <summary>An identifier of the notation of <see cref="StudyKeys"/>.</summary>
    internal static DataSet Identifier(string keys, params uint[] returnKeys)
    {
        var identifier = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        identifier.Set(new Tag(0x0008_0005), "ISO_IR 192");
        foreach (uint tag in returnKeys)
        {
            if (DataDictionary.GetVR(new Tag(tag)) == VR.SQ) identifier.SetItems(new Tag(tag), []);
            else identifier.Set(new Tag(tag), null);
        }
        Dictionary<Tag, DataSet> items = [];
        foreach (string key in keys.Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            string path = key[..key.IndexOf('=')];
            string value = key[(path.Length + 1)..];
            string[] tags = path.Split('/');
            Assert.True(Tag.TryParse(tags[^1], out Tag tag));
            if (tags.Length == 1)
            {
                identifier.Set(tag, value);
                continue;
            }
            Assert.True(Tag.TryParse(tags[0], out Tag sequence));
            if (!items.TryGetValue(sequence, out DataSet? item)) identifier.SetItems(sequence, [items[sequence] = item = identifier.NewItem()]);
            item.Set(tag, value);
            identifier.SetItems(sequence, [item]);
        }
        return DataSet.Read(identifier.ToArray(), TransferSyntax.ExplicitVRLittleEndian);
    }

    internal static SearchRequest Request(QueryLevel level, DataSet identifier, MatchingOptions? options = null)
    {
        ParsedKeys<SearchRequest> parsed = MatchingKeys.Parse(identifier, level, options ?? new MatchingOptions { Relational = true, Root = level == QueryLevel.Patient ? QueryRoot.Patient : QueryRoot.Study });
        Assert.Null(parsed.Failure);
        return parsed.Request!;
    }

    private async Task<List<SearchRow>> FindAsync(QueryLevel level, string keys, params uint[] returnKeys) =>
        await Catalog.SearchAsync(Request(level, Identifier(keys, returnKeys)), Ct).ToListAsync(Ct);

    [Fact]
    public async Task Keys_at_study_level_find_what_the_table_says()
    {
        await FillAsync();
        List<string> wrong = [];
        foreach (ITheoryDataRow row in StudyKeys)
        {
            object?[] data = row.GetData();
            (string name, string keys, string expected) = ((string)data[0]!, (string)data[1]!, (string)data[2]!);
            string found = string.Join(' ', (await FindAsync(QueryLevel.Study, keys, 0x0020_000D)).Select(r => r[s_studyUid]!["1.2.".Length..]).Order());
            if (found != expected) wrong.Add($"{name}: {keys} found '{found}', not '{expected}'");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }
}
