using System.Buffers.Binary;
using System.Globalization;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.CatalogFill;

/// <summary>Makes up studies: rows as the engine writes them, only without blobs behind them. Same seed, same studies; UIDs and Patient IDs of different seeds differ.</summary>
/// <param name="seed">Any number.</param>
/// <param name="instancesPerStudy">On average, spread over one to three series; 0 is one a series.</param>
internal sealed class StudyMaker(int seed, int instancesPerStudy)
{
    /// <summary>Surrogate keys that one study needs at most, without its instances.</summary>
    public const int KeysPerStudy = 6;

    private const string CT = "1.2.840.10008.5.1.4.1.1.2";

    private static readonly string[] s_families =
    [
        "Smith", "Smart", "Schmidt", "Müller", "Meier", "García", "Fernández", "Rossi", "Bianchi", "Novák", "Kowalski", "Nowak", "Ivanov", "Petrov", "Yılmaz", "Jensen", "Sørensen",
        "Andersson", "Virtanen", "Dubois", "Lefèvre", "O'Brien", "McCarthy", "Nguyen", "Tran", "Singh", "Khan", "Okafor", "Mensah", "Silva", "Santos", "Cohen", "Haddad", "Papadopoulos",
    ];

    private static readonly string[] s_given = ["Anna", "John", "María", "José", "Jürgen", "Zoë", "Peter", "Olga", "Ahmed", "Lina", "Karl", "Sofia", "Noah", "Emma", "Łukasz", "Renée"];
    private static readonly string[] s_modalities = ["CT", "CR", "DX", "MR", "US", "CT", "DX", "MG", "XA", "NM", "PT", "SR"];

    /// <summary>Two of a hundred names; the first three in all three groups.</summary>
    private static readonly string[] s_otherScripts =
    [
        "Yamada^Tarou=山田^太郎=やまだ^たろう", "Suzuki^Hanako=鈴木^花子=すずき^はなこ", "Sato^Ken=佐藤^健=さとう^けん", "Hong^Gildong=洪^吉洞=홍^길동", "Wang^XiaoDong=王^小東", "Иванов^Пётр",
        "Παπαδόπουλος^Γιώργος", "חדד^יעל", "حداد^ليلى", "สมชาย^ใจดี", "शर्मा^अनिता",
    ];

    private readonly Random _random = new(seed);
    private PatientRow? _patient;
    private int _made;

    /// <summary>Adds studies over ten years until the start of 2026; two of three patients have one study.</summary>
    /// <param name="changes">Where to.</param>
    /// <param name="count">How many.</param>
    /// <param name="nextKey">Gives surrogate keys that nobody has.</param>
    public void Add(CatalogChanges changes, int count, Func<long> nextKey)
    {
        for (int i = 0; i < count; i++, _made++)
        {
            if (_patient is null || _random.Next(3) < 2) changes.NewPatients.Add(_patient = Patient(nextKey()));
            AddStudy(changes, nextKey);
        }
    }

    private PatientRow Patient(long key)
    {
        string name = _random.Next(50) == 0
            ? s_otherScripts[_random.Next(s_otherScripts.Length)]
            : $"{s_families[_random.Next(s_families.Length)]}{(_random.Next(3) == 0 ? "" : Letters())}^{s_given[_random.Next(s_given.Length)]}";
        AttributeValues attributes = AttributeValues.Empty(QueryLevel.Patient).With(new Tag(0x0010_0010), name)
            .With(new Tag(0x0010_0030), Date(new DateOnly(1930, 1, 1), 33_000)).With(new Tag(0x0010_0040), _random.Next(2) == 0 ? "F" : "M");
        return new PatientRow
        {
            Key = key, Identifier = new PatientIdentifier(string.Create(CultureInfo.InvariantCulture, $"SYN{seed}-{_made:D7}")), Attributes = attributes,
            CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
        };
    }

    private void AddStudy(CatalogChanges changes, Func<long> nextKey)
    {
        int seriesCount = 1 + _random.Next(3);
        int instanceCount = instancesPerStudy == 0 ? seriesCount : Math.Max(seriesCount, _random.Next(2 * instancesPerStudy));
        string uid = $"2.25.{seed}.{_made}";
        string modality = s_modalities[_random.Next(s_modalities.Length)];
        long studyKey = nextKey();
        changes.NewStudies.Add(new StudyRow
        {
            Key = studyKey, PatientKey = _patient!.Key, StudyInstanceUid = uid, SeriesCount = seriesCount, InstanceCount = instanceCount, ModalitiesInStudy = [modality],
            SopClassesInStudy = [CT], Status = StudyStatus.Complete, CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
            Attributes = AttributeValues.Empty(QueryLevel.Study).With(new Tag(0x0008_0020), Date(new DateOnly(2016, 1, 1), 3650))
                .With(new Tag(0x0008_0030), string.Create(CultureInfo.InvariantCulture, $"{_random.Next(7, 20):D2}{_random.Next(60):D2}{_random.Next(60):D2}"))
                .With(new Tag(0x0008_0050), "ACC" + uid[5..]).With(new Tag(0x0008_0090), $"{s_families[_random.Next(s_families.Length)]}^{s_given[_random.Next(s_given.Length)]}")
                .With(new Tag(0x0008_1030), modality + " examination").With(new Tag(0x0020_0010), "1"),
        });
        var blob = new BlobRow(nextKey(), 524_288L * instanceCount, RandomBytes(32), DateTimeOffset.UnixEpoch);
        changes.NewBlobs.Add(blob);
        Span<byte> key = stackalloc byte[16];
        BinaryPrimitives.WriteInt64BigEndian(key, blob.Key);
        changes.NewCopies.Add(new BlobCopyRow(blob.Key, "synthetic", Convert.ToHexStringLower(key)));
        int placed = 0;
        for (int i = 1; i <= seriesCount; i++)
        {
            int within = (instanceCount * i / seriesCount) - placed;
            AddSeries(changes, nextKey, studyKey, $"{uid}.{i}", modality, i, within, blob.Key, placed);
            placed += within;
        }
    }

    private void AddSeries(CatalogChanges changes, Func<long> nextKey, long studyKey, string uid, string modality, int number, int instances, long blobKey, int firstInBlob)
    {
        long seriesKey = nextKey();
        changes.NewSeries.Add(new SeriesRow
        {
            Key = seriesKey, StudyKey = studyKey, SeriesInstanceUid = uid, InstanceCount = instances, CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
            Attributes = AttributeValues.Empty(QueryLevel.Series).With(new Tag(0x0008_0060), modality).With(new Tag(0x0020_0011), number.ToString(CultureInfo.InvariantCulture))
                .With(new Tag(0x0008_103E), "Series").With(new Tag(0x0018_0015), "CHEST"),
        });
        AttributeValues attributes = AttributeValues.Empty(QueryLevel.Image).With(new Tag(0x0008_0008), "ORIGINAL\\PRIMARY\\AXIAL").With(new Tag(0x0028_0010), "512").With(new Tag(0x0028_0011), "512");
        // Modalities number their instances in the end; the digits before are their clocks and counters.
        long salt = _random.NextInt64(100_000_000);
        for (int i = 1; i <= instances; i++)
        {
            changes.NewInstances.Add(new InstanceRow
            {
                Key = nextKey(), SeriesKey = seriesKey, StudyKey = studyKey, SopInstanceUid = string.Create(CultureInfo.InvariantCulture, $"2.25.{salt}.{uid.AsSpan(5)}.{i}"), SopClassUid = CT,
                TransferSyntaxUid = TransferSyntax.ExplicitVRLittleEndian.Uid, BlobKey = blobKey, Offset = 524_288L * (firstInBlob + i - 1), Length = 524_288, DataSetOffset = 330,
                PixelDataOffset = 1200, ReceivedAt = DateTimeOffset.UnixEpoch, Attributes = attributes.With(new Tag(0x0020_0013), i.ToString(CultureInfo.InvariantCulture)),
            });
        }
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

    private string Date(DateOnly first, int days) => first.AddDays(_random.Next(days)).ToString("yyyyMMdd", CultureInfo.InvariantCulture);
}
