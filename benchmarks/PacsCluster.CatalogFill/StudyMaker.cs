using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.CatalogFill;

/// <summary>Makes up studies: rows as the engine writes them, a blob for each instance, only without bytes behind it. Same seed, same studies; UIDs and Patient IDs
/// of different seeds differ. Headers are valid but small (about 330 bytes; those of a scanner have one to several kilobytes).</summary>
/// <param name="seed">Any number.</param>
/// <param name="instancesPerStudy">On average over the mix of modalities, spread over one to three series; 0 is one a series.</param>
internal sealed class StudyMaker(int seed, int instancesPerStudy)
{
    private const int InstanceBytes = 524_288;
    private const string CT = "1.2.840.10008.5.1.4.1.1.2";

    private static readonly string[] s_families =
    [
        "Smith", "Smart", "Schmidt", "Müller", "Meier", "García", "Fernández", "Rossi", "Bianchi", "Novák", "Kowalski", "Nowak", "Ivanov", "Petrov", "Yılmaz", "Jensen", "Sørensen",
        "Andersson", "Virtanen", "Dubois", "Lefèvre", "O'Brien", "McCarthy", "Nguyen", "Tran", "Singh", "Khan", "Okafor", "Mensah", "Silva", "Santos", "Cohen", "Haddad", "Papadopoulos",
    ];

    private static readonly string[] s_given = ["Anna", "John", "María", "José", "Jürgen", "Zoë", "Peter", "Olga", "Ahmed", "Lina", "Karl", "Sofia", "Noah", "Emma", "Łukasz", "Renée"];

    /// <summary>One of twelve patients has a name of another script: families and given names, each with its groups (PS3.5 section 6.2).</summary>
    private static readonly (string[] Families, string[] Given)[] s_otherScripts =
    [
        (["Yamada=山田=やまだ", "Suzuki=鈴木=すずき", "Sato=佐藤=さとう", "Tanaka=田中=たなか", "Ito=伊藤=いとう", "Kobayashi=小林=こばやし"], ["Tarou=太郎=たろう", "Hanako=花子=はなこ", "Ken=健=けん", "Yuki=雪=ゆき"]),
        (["Hong=洪=홍", "Kim=金=김", "Lee=李=이", "Park=朴=박"], ["Gildong=吉洞=길동", "Minjun=民俊=민준", "Seoyeon=瑞妍=서연"]),
        (["Wang=王", "Li=李", "Zhang=張", "Chen=陳"], ["XiaoDong=小東", "Wei=偉", "Mei=梅", "Jing=靜"]),
        (["Иванов", "Петров", "Соколов", "Кузнецов"], ["Пётр", "Анна", "Сергей", "Ольга"]),
        (["Παπαδόπουλος", "Γεωργίου", "Νικολάου"], ["Γιώργος", "Μαρία", "Ελένη"]),
        (["חדד", "כהן", "לוי"], ["יעל", "דוד", "נועה"]),
        (["حداد", "الأحمد", "منصور"], ["ليلى", "محمد", "سارة"]),
        (["ใจดี", "สุขใจ"], ["สมชาย", "มาลี"]),
        (["शर्मा", "वर्मा"], ["अनिता", "राहुल"]),
    ];

    /// <summary>Of a hundred studies how many are of this kind, and how its number of instances stands to the average of all: projections are many and small, sections few and large.</summary>
    private static readonly (string[] Modalities, int Percent, double Instances, string SopClass)[] s_mix =
    [
        (["DX"], 28, 0.1, "1.2.840.10008.5.1.4.1.1.1.1"), (["CR"], 8, 0.1, "1.2.840.10008.5.1.4.1.1.1"), (["US"], 18, 0.5, "1.2.840.10008.5.1.4.1.1.6.1"), (["CT"], 20, 2.5, CT),
        (["MR"], 12, 2.5, "1.2.840.10008.5.1.4.1.1.4"), (["MG"], 5, 0.2, "1.2.840.10008.5.1.4.1.1.1.2"), (["CT", "PT"], 2, 2.5, CT), (["XA"], 3, 0.3, "1.2.840.10008.5.1.4.1.1.12.1"),
        (["NM"], 2, 0.1, "1.2.840.10008.5.1.4.1.1.20"), (["CT", "SR"], 2, 0.15, CT),
    ];

    private readonly Random _random = new(seed);
    private PatientRow? _patient;
    private int _made;

    /// <summary>Surrogate keys that one study needs at most.</summary>
    public static int KeysMax(int instancesPerStudy) => 5 + (2 * Math.Max(3, (5 * instancesPerStudy) + 1));

    /// <summary>Adds studies over ten years until the start of 2026, more in later years and few at weekends; a patient has two and a half on average.</summary>
    /// <param name="changes">Where to.</param>
    /// <param name="count">How many.</param>
    /// <param name="nextKey">Gives surrogate keys that nobody has.</param>
    public void Add(CatalogChanges changes, int count, Func<long> nextKey)
    {
        for (int i = 0; i < count; i++, _made++)
        {
            if (_patient is null || _random.Next(5) < 2) changes.NewPatients.Add(_patient = Patient(nextKey()));
            AddStudy(changes, nextKey);
        }
    }

    private PatientRow Patient(long key)
    {
        string name = _random.Next(12) == 0
            ? OtherScript()
            : $"{s_families[_random.Next(s_families.Length)]}{(_random.Next(3) == 0 ? "" : Letters())}^{s_given[_random.Next(s_given.Length)]}";
        AttributeValues attributes = AttributeValues.Empty(QueryLevel.Patient).With(new Tag(0x0010_0010), name)
            .With(new Tag(0x0010_0030), Text(new DateOnly(1930, 1, 1).AddDays(_random.Next(31_000)))).With(new Tag(0x0010_0040), _random.Next(2) == 0 ? "F" : "M");
        return new PatientRow
        {
            Key = key, Identifier = new PatientIdentifier(string.Create(CultureInfo.InvariantCulture, $"SYN{seed}-{_made:D7}")), Attributes = attributes,
            CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
        };
    }

    private string OtherScript()
    {
        (string[] families, string[] given) = s_otherScripts[_random.Next(s_otherScripts.Length)];
        string[] family = families[_random.Next(families.Length)].Split('=');
        string[] first = given[_random.Next(given.Length)].Split('=');
        return string.Join('=', family.Zip(first, (f, g) => $"{f}^{g}"));
    }

    private void AddStudy(CatalogChanges changes, Func<long> nextKey)
    {
        int at = _random.Next(100), kind = 0;
        while ((at -= s_mix[kind].Percent) >= 0) kind++;
        (string[] modalities, _, double factor, string sopClass) = s_mix[kind];
        double average = instancesPerStudy * factor;
        int seriesCount = modalities.Length + _random.Next(4 - modalities.Length);
        int instanceCount = instancesPerStudy == 0 ? seriesCount : Math.Max(modalities.Length, (int)((_random.NextDouble() * 2 * average) + 0.5));
        seriesCount = Math.Min(seriesCount, instanceCount);
        string uid = $"2.25.{seed}.{_made}";
        long studyKey = nextKey();
        DateOnly date = new DateOnly(2016, 1, 1).AddDays((int)(3650 * Math.Pow(_random.NextDouble(), 0.75)));
        if (date.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday && _random.Next(5) > 0) date = date.AddDays(-2);
        changes.NewStudies.Add(new StudyRow
        {
            Key = studyKey, PatientKey = _patient!.Key, StudyInstanceUid = uid, SeriesCount = seriesCount, InstanceCount = instanceCount, ModalitiesInStudy = modalities,
            SopClassesInStudy = [sopClass], Status = StudyStatus.Complete, CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
            Attributes = AttributeValues.Empty(QueryLevel.Study).With(new Tag(0x0008_0020), Text(date))
                .With(new Tag(0x0008_0030), string.Create(CultureInfo.InvariantCulture, $"{_random.Next(7, 20):D2}{_random.Next(60):D2}{_random.Next(60):D2}"))
                .With(new Tag(0x0008_0050), "ACC" + uid[5..]).With(new Tag(0x0008_0090), $"{s_families[_random.Next(s_families.Length)]}{(char)('a' + _random.Next(26))}^{s_given[_random.Next(s_given.Length)]}")
                .With(new Tag(0x0008_1030), modalities[0] + " examination").With(new Tag(0x0020_0010), _random.Next(2) == 0 ? "1" : _random.Next(100_000).ToString(CultureInfo.InvariantCulture)),
        });
        int placed = 0;
        for (int i = 1; i <= seriesCount; i++)
        {
            int within = (instanceCount * i / seriesCount) - placed;
            AddSeries(changes, nextKey, studyKey, uid, modalities[(i - 1) % modalities.Length], sopClass, i, within, Text(date));
            placed += within;
        }
    }

    private void AddSeries(CatalogChanges changes, Func<long> nextKey, long studyKey, string studyUid, string modality, string sopClass, int number, int instances, string date)
    {
        long seriesKey = nextKey();
        string uid = string.Create(CultureInfo.InvariantCulture, $"{studyUid}.{number}");
        changes.NewSeries.Add(new SeriesRow
        {
            Key = seriesKey, StudyKey = studyKey, SeriesInstanceUid = uid, InstanceCount = instances, CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
            Attributes = AttributeValues.Empty(QueryLevel.Series).With(new Tag(0x0008_0060), modality).With(new Tag(0x0020_0011), number.ToString(CultureInfo.InvariantCulture))
                .With(new Tag(0x0008_103E), "Series").With(new Tag(0x0018_0015), "CHEST").With(new Tag(0x0008_0070), "SYNTHETIC").With(new Tag(0x0018_1030), modality + " routine"),
        });
        AttributeValues attributes = AttributeValues.Empty(QueryLevel.Image).With(new Tag(0x0008_0008), "ORIGINAL\\PRIMARY\\AXIAL").With(new Tag(0x0008_0023), date)
            .With(new Tag(0x0028_0002), "1").With(new Tag(0x0028_0004), "MONOCHROME2").With(new Tag(0x0028_0010), "512").With(new Tag(0x0028_0011), "512").With(new Tag(0x0028_0100), "16");
        // Modalities number their instances in the end; the digits before are their clocks and counters.
        string salted = string.Create(CultureInfo.InvariantCulture, $"2.25.{_random.NextInt64(100_000_000)}.{uid.AsSpan(5)}.");
        byte[] before = Elements((0x0008_0008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"), (0x0008_0016, "UI", sopClass));
        byte[] between = Elements((0x0008_0020, "DA", date), (0x0008_0060, "CS", modality), (0x0018_0015, "CS", "CHEST"), (0x0020_000D, "UI", studyUid), (0x0020_000E, "UI", uid));
        byte[] after = Elements((0x0020_0020, "CS", "L\\P"), (0x0020_0032, "DS", "-250\\-250\\-1025.5"), (0x0020_0037, "DS", "1\\0\\0\\0\\1\\0"), (0x0028_0004, "CS", "MONOCHROME2"),
            (0x0028_0030, "DS", "0.9765625\\0.9765625"));
        for (int i = 1; i <= instances; i++)
        {
            string sopInstance = string.Create(CultureInfo.InvariantCulture, $"{salted}{i}");
            string instanceNumber = i.ToString(CultureInfo.InvariantCulture);
            var blob = new BlobRow(nextKey(), InstanceBytes, RandomBytes(32), DateTimeOffset.UnixEpoch);
            long key = nextKey();
            changes.NewBlobs.Add(blob);
            // As the file store names them: random, so that neighbours in time are none in the index.
            changes.NewCopies.Add(new BlobCopyRow(blob.Key, "synthetic", Convert.ToHexStringLower(RandomBytes(16))));
            changes.NewInstances.Add(new InstanceRow
            {
                Key = key, SeriesKey = seriesKey, StudyKey = studyKey, SopInstanceUid = sopInstance, SopClassUid = sopClass,
                TransferSyntaxUid = TransferSyntax.ExplicitVRLittleEndian.Uid, BlobKey = blob.Key, Length = InstanceBytes, DataSetOffset = 330,
                PixelDataOffset = 1200, ReceivedAt = DateTimeOffset.UnixEpoch, Source = "MODALITY", Attributes = attributes.With(new Tag(0x0020_0013), instanceNumber),
            });
            changes.NewHeaders.Add(new HeaderRow(key, HeaderEncoding.Raw,
                (byte[])[.. before, .. Elements((0x0008_0018, "UI", sopInstance)), .. between, .. Elements((0x0020_0013, "IS", instanceNumber)), .. after]));
        }
    }

    /// <summary>Short text elements in Explicit VR Little Endian (PS3.5 section 7.1.2).</summary>
    private static byte[] Elements(params (uint Tag, string VR, string Value)[] elements)
    {
        int length = 0;
        foreach ((_, _, string value) in elements) length += 8 + value.Length + (value.Length & 1);
        var bytes = new byte[length];
        Span<byte> rest = bytes;
        foreach ((uint tag, string vr, string value) in elements)
        {
            int padded = value.Length + (value.Length & 1);
            BinaryPrimitives.WriteUInt16LittleEndian(rest, (ushort)(tag >> 16));
            BinaryPrimitives.WriteUInt16LittleEndian(rest[2..], (ushort)tag);
            Encoding.ASCII.GetBytes(vr, rest[4..]);
            BinaryPrimitives.WriteUInt16LittleEndian(rest[6..], (ushort)padded);
            Encoding.ASCII.GetBytes(value, rest[8..]);
            if (padded > value.Length) rest[8 + value.Length] = vr == "UI" ? (byte)0 : (byte)' ';
            rest = rest[(8 + padded)..];
        }
        return bytes;
    }

    private byte[] RandomBytes(int count)
    {
        var bytes = new byte[count];
        _random.NextBytes(bytes);
        return bytes;
    }

    private string Letters() => string.Create(2, _random, static (text, r) =>
    {
        for (int i = 0; i < text.Length; i++) text[i] = (char)('a' + r.Next(26));
    });

    private static string Text(DateOnly date) => date.ToString("yyyyMMdd", CultureInfo.InvariantCulture);
}
