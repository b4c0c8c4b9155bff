using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using PacsCluster.Dicom;

namespace PacsCluster.Catalog.Tests;

/// <summary>Fills a catalog with made-up studies for measuring searches: rows as the engine writes them, by the same commits, only without blobs
/// behind them. Never for an archive that keeps anything.</summary>
internal static class SyntheticStudies
{
    private const int StudiesPerCommit = 500;

    private static readonly string[] s_families =
    [
        "Smith", "Smart", "Schmidt", "Müller", "Meier", "García", "Fernández", "Rossi", "Bianchi", "Novák", "Kowalski", "Nowak", "Ivanov", "Petrov", "Yılmaz", "Jensen", "Sørensen",
        "Andersson", "Virtanen", "Dubois", "Lefèvre", "O'Brien", "McCarthy", "Nguyen", "Tran", "Singh", "Khan", "Okafor", "Mensah", "Silva", "Santos", "Cohen", "Haddad", "Papadopoulos",
    ];

    private static readonly string[] s_given = ["Anna", "John", "María", "José", "Jürgen", "Zoë", "Peter", "Olga", "Ahmed", "Lina", "Karl", "Sofia", "Noah", "Emma", "Łukasz", "Renée"];
    private static readonly string[] s_modalities = ["CT", "CR", "DX", "MR", "US", "CT", "DX", "MG", "XA", "NM", "PT", "SR"];
    private static readonly string[] s_japanese = ["Yamada^Tarou=山田^太郎=やまだ^たろう", "Suzuki^Hanako=鈴木^花子=すずき^はなこ", "Sato^Ken=佐藤^健=さとう^けん"];

    /// <summary>Adds studies of one to three series, one instance a series, over ten years until the start of 2026; two of three patients have one study.</summary>
    /// <param name="catalog">Where to; of this room.</param>
    /// <param name="studies">How many.</param>
    /// <param name="seed">Same seed, same studies; UIDs and Patient IDs of different seeds differ.</param>
    /// <param name="progress">Told the number of studies so far.</param>
    /// <param name="ct">Stops between two commits.</param>
    public static async Task FillAsync(ICatalog catalog, int studies, int seed = 1, IProgress<int>? progress = null, CancellationToken ct = default)
    {
        var writer = (ICatalogWriter)catalog;
        var random = new Random(seed);
        PatientRow? patient = null;
        for (int done = 0; done < studies;)
        {
            int count = Math.Min(StudiesPerCommit, studies - done);
            LoadedState keys = await writer.LoadAsync(new LoadRequest { NewKeys = count * 9 }, ct);
            var changes = new CatalogChanges();
            for (int i = 0; i < count; i++)
            {
                if (patient is null || random.Next(3) < 2) changes.NewPatients.Add(patient = Patient(keys.NextKey(), seed, done + i, random));
                AddStudy(changes, keys, patient, $"2.25.{seed}.{done + i}", random);
            }
            await writer.CommitAsync(changes, ct);
            done += count;
            progress?.Report(done);
        }
    }

    private static PatientRow Patient(long key, int seed, int number, Random random)
    {
        string name = random.Next(50) == 0
            ? s_japanese[random.Next(s_japanese.Length)]
            : $"{s_families[random.Next(s_families.Length)]}{(random.Next(3) == 0 ? "" : Letters(random))}^{s_given[random.Next(s_given.Length)]}";
        AttributeValues attributes = AttributeValues.Empty(QueryLevel.Patient).With(new Tag(0x0010_0010), name)
            .With(new Tag(0x0010_0030), Date(new DateOnly(1930, 1, 1), 33_000, random)).With(new Tag(0x0010_0040), random.Next(2) == 0 ? "F" : "M");
        return new PatientRow
        {
            Key = key, Identifier = new PatientIdentifier(string.Create(CultureInfo.InvariantCulture, $"SYN{seed}-{number:D7}")), Attributes = attributes,
            CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
        };
    }

    private static void AddStudy(CatalogChanges changes, LoadedState keys, PatientRow patient, string uid, Random random)
    {
        int seriesCount = 1 + random.Next(3);
        string modality = s_modalities[random.Next(s_modalities.Length)];
        long studyKey = keys.NextKey();
        changes.NewStudies.Add(new StudyRow
        {
            Key = studyKey, PatientKey = patient.Key, StudyInstanceUid = uid, SeriesCount = seriesCount, InstanceCount = seriesCount, ModalitiesInStudy = [modality],
            SopClassesInStudy = ["1.2.840.10008.5.1.4.1.1.2"], CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
            Attributes = AttributeValues.Empty(QueryLevel.Study).With(new Tag(0x0008_0020), Date(new DateOnly(2016, 1, 1), 3650, random))
                .With(new Tag(0x0008_0030), string.Create(CultureInfo.InvariantCulture, $"{random.Next(7, 20):D2}{random.Next(60):D2}{random.Next(60):D2}"))
                .With(new Tag(0x0008_0050), "ACC" + uid[5..]).With(new Tag(0x0008_0090), $"{s_families[random.Next(s_families.Length)]}^{s_given[random.Next(s_given.Length)]}")
                .With(new Tag(0x0008_1030), modality + " examination").With(new Tag(0x0020_0010), "1"),
        });
        var blob = new BlobRow(keys.NextKey(), 524_288L * seriesCount, RandomNumberGenerator.GetBytes(32), DateTimeOffset.UnixEpoch);
        changes.NewBlobs.Add(blob);
        Span<byte> key = stackalloc byte[16];
        BinaryPrimitives.WriteInt64BigEndian(key, blob.Key);
        changes.NewCopies.Add(new BlobCopyRow(blob.Key, "synthetic", Convert.ToHexStringLower(key)));
        for (int i = 1; i <= seriesCount; i++)
        {
            long seriesKey = keys.NextKey();
            changes.NewSeries.Add(new SeriesRow
            {
                Key = seriesKey, StudyKey = studyKey, SeriesInstanceUid = $"{uid}.{i}", InstanceCount = 1, CreatedAt = DateTimeOffset.UnixEpoch, UpdatedAt = DateTimeOffset.UnixEpoch,
                Attributes = AttributeValues.Empty(QueryLevel.Series).With(new Tag(0x0008_0060), modality).With(new Tag(0x0020_0011), i.ToString(CultureInfo.InvariantCulture))
                    .With(new Tag(0x0008_103E), "Series").With(new Tag(0x0018_0015), "CHEST"),
            });
            changes.NewInstances.Add(new InstanceRow
            {
                Key = keys.NextKey(), SeriesKey = seriesKey, StudyKey = studyKey, SopInstanceUid = $"{uid}.{i}.1", SopClassUid = "1.2.840.10008.5.1.4.1.1.2",
                TransferSyntaxUid = TransferSyntax.ExplicitVRLittleEndian.Uid, BlobKey = blob.Key, Offset = 524_288L * (i - 1), Length = 524_288, DataSetOffset = 330, PixelDataOffset = 1200,
                ReceivedAt = DateTimeOffset.UnixEpoch, Attributes = AttributeValues.Empty(QueryLevel.Image).With(new Tag(0x0020_0013), "1"),
            });
        }
    }

    private static string Letters(Random random) => string.Create(2, random, static (text, r) =>
    {
        for (int i = 0; i < text.Length; i++) text[i] = (char)('a' + r.Next(26));
    });

    private static string Date(DateOnly first, int days, Random random) => first.AddDays(random.Next(days)).ToString("yyyyMMdd", CultureInfo.InvariantCulture);
}
