using System.Security.Cryptography;
using PacsCluster.Dicom;

namespace PacsCluster.Catalog.Tests;

/// <summary>Puts instances into a catalog as the engine would: load, decide (simply), commit.</summary>
internal sealed class Archive(ICatalogWriter writer)
{
    public static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    public static DataSet Header(params (uint Tag, string Value)[] values)
    {
        var header = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        header.Set(new Tag(0x0008_0005), "ISO_IR 192");
        foreach ((uint tag, string value) in values.OrderBy(v => v.Tag)) header.Set(new Tag(tag), value);
        return header;
    }

    /// <summary>Stores one instance of these attributes (the three UIDs at least); rows are made or counted up.</summary>
    public async Task<InstanceRow> StoreAsync(DataSet header, Action<CatalogChanges, LoadedState>? more = null)
    {
        var changes = new CatalogChanges();
        (InstanceRow instance, LoadedState state) = await AddAsync(changes, header);
        more?.Invoke(changes, state);
        await writer.CommitAsync(changes, TestContext.Current.CancellationToken);
        return instance;
    }

    public Task<InstanceRow> StoreAsync(params (uint Tag, string Value)[] values) => StoreAsync(Header(values));

    public async Task CommitAsync(CatalogChanges changes) => await writer.CommitAsync(changes, TestContext.Current.CancellationToken);

    /// <summary>Adds what storing needs to changes; the caller commits.</summary>
    public async Task<(InstanceRow Instance, LoadedState State)> AddAsync(CatalogChanges changes, DataSet header)
    {
        string studyUid = header.GetString(new Tag(0x0020_000D))!;
        string seriesUid = header.GetString(new Tag(0x0020_000E))!;
        string sopUid = header.GetString(new Tag(0x0008_0018))!;
        PatientIdentifier? identifier = header.GetString(new Tag(0x0010_0020)) is { } id ? new PatientIdentifier(id, header.GetString(new Tag(0x0010_0021)) ?? "") : null;
        LoadedState state = await writer.LoadAsync(
            new LoadRequest { StudyInstanceUids = [studyUid], Patients = identifier is { } one ? [one] : [], SopInstanceUids = [sopUid], NewKeys = 8 },
            TestContext.Current.CancellationToken);

        PatientRow? patient = identifier is { } known ? state.Patients.GetValueOrDefault(known) : null;
        LoadedStudy? loaded = state.Studies.GetValueOrDefault(studyUid);
        if (patient is null && loaded is null)
        {
            changes.NewPatients.Add(patient = new PatientRow
            {
                Key = state.NextKey(), Identifier = identifier, Attributes = AttributeValues.Read(header, QueryLevel.Patient), CreatedAt = Now, UpdatedAt = Now,
                OtherIdentifiers = [.. header.GetItems(new Tag(0x0010_1002)).Select(i => new PatientIdentifier(i.GetString(new Tag(0x0010_0020)) ?? "", i.GetString(new Tag(0x0010_0021)) ?? ""))],
            });
        }
        else if (loaded is null) changes.UnchangedPatients.Add(patient!);

        SeriesRow? series = loaded?.Series.FirstOrDefault(r => r.SeriesInstanceUid == seriesUid);
        string modality = header.GetString(new Tag(0x0008_0060)) ?? "OT";
        string sopClass = header.GetString(new Tag(0x0008_0016)) ?? "1.2.840.10008.5.1.4.1.1.2";
        StudyRow study = loaded?.Study ?? new StudyRow
        {
            Key = state.NextKey(), PatientKey = patient!.Key, StudyInstanceUid = studyUid, Attributes = AttributeValues.Read(header, QueryLevel.Study), CreatedAt = Now,
        };
        study = study with
        {
            InstanceCount = study.InstanceCount + 1, SeriesCount = study.SeriesCount + (series is null ? 1 : 0), UpdatedAt = Now,
            ModalitiesInStudy = study.ModalitiesInStudy.Contains(modality) ? study.ModalitiesInStudy : [.. study.ModalitiesInStudy, modality],
            SopClassesInStudy = study.SopClassesInStudy.Contains(sopClass) ? study.SopClassesInStudy : [.. study.SopClassesInStudy, sopClass],
        };
        (loaded is null ? changes.NewStudies : changes.ChangedStudies).Add(study);

        SeriesRow seriesRow = series ?? new SeriesRow
        {
            Key = state.NextKey(), StudyKey = study.Key, SeriesInstanceUid = seriesUid, Attributes = AttributeValues.Read(header, QueryLevel.Series), CreatedAt = Now,
        };
        seriesRow = seriesRow with { InstanceCount = seriesRow.InstanceCount + 1, UpdatedAt = Now };
        (series is null ? changes.NewSeries : changes.ChangedSeries).Add(seriesRow);

        BlobRow blob = Blob(changes, state, 1000);
        var instance = new InstanceRow
        {
            Key = state.NextKey(), SeriesKey = seriesRow.Key, StudyKey = study.Key, SopInstanceUid = sopUid, SopClassUid = sopClass, TransferSyntaxUid = TransferSyntax.ExplicitVRLittleEndian.Uid,
            BlobKey = blob.Key, Length = 1000, DataSetOffset = 300, PixelDataOffset = 500, Attributes = AttributeValues.Read(header, QueryLevel.Image), ReceivedAt = Now, Source = "MODALITY",
        };
        changes.NewInstances.Add(instance);
        changes.NewHeaders.Add(new HeaderRow(instance.Key, HeaderEncoding.Raw, header.ToArray()));
        return (instance, state);
    }

    /// <summary>A blob with one copy whose key in its store is made of its surrogate key.</summary>
    public static BlobRow Blob(CatalogChanges changes, LoadedState state, long length)
    {
        var blob = new BlobRow(state.NextKey(), length, RandomNumberGenerator.GetBytes(32), Now);
        changes.NewBlobs.Add(blob);
        changes.NewCopies.Add(new BlobCopyRow(blob.Key, "files", StoreKey(blob.Key)));
        return blob;
    }

    public static string StoreKey(long blobKey) => blobKey.ToString("x32");
}
