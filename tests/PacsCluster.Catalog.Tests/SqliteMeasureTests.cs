using System.Diagnostics;
using PacsCluster.Dicom;
using PacsCluster.Testing;

namespace PacsCluster.Catalog.Tests;

/// <summary>Figures, not checks: run by <c>--explicit only</c> (xunit v3). Searches are measured by benchmarks/PacsCluster.CatalogFill.</summary>
public sealed class SqliteMeasureTests(ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Commits()
    {
        const int batch = 8, batches = 2000;
        using var folder = new TempFolder();
        await using SqliteCatalog catalog = await SqliteCatalog.OpenAsync(new SqliteCatalogOptions { Path = folder.At("catalog.db") }, TimeProvider.System, Ct);
        ICatalogWriter writer = catalog;
        DataSet header = Archive.Header((0x0020_000D, "1.2.1"), (0x0020_000E, "1.2.1.1"), (0x0008_0018, "1.2.1.1.1"), (0x0010_0020, "P1"), (0x0010_0010, "Smith^John"), (0x0008_0020, "20240101"),
            (0x0008_0060, "CT"), (0x0020_0013, "1"), (0x0028_0010, "512"), (0x0028_0011, "512"), (0x0008_0008, "ORIGINAL\\PRIMARY\\AXIAL"), (0x0008_0023, "20240101"));
        await new Archive(writer).StoreAsync(header);
        byte[] headerBytes = new byte[6000];
        AttributeValues attributes = AttributeValues.Read(header, QueryLevel.Image);
        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        for (int b = 0; b < batches; b++)
        {
            string[] uids = [.. Enumerable.Range(0, batch).Select(i => $"1.2.826.0.1.3680043.10.1463.1234567.{b}.{i}")];
            LoadedState state = await writer.LoadAsync(new LoadRequest { StudyInstanceUids = ["1.2.1"], SopInstanceUids = uids, NewKeys = batch * 2 }, Ct);
            LoadedStudy study = state.Studies["1.2.1"];
            var changes = new CatalogChanges
            {
                ChangedStudies = { study.Study with { InstanceCount = study.Study.InstanceCount + batch } },
                ChangedSeries = { study.Series[0] with { InstanceCount = study.Series[0].InstanceCount + batch } },
            };
            foreach (string uid in uids)
            {
                BlobRow blob = Archive.Blob(changes, state, 524_288);
                long key = state.NextKey();
                changes.NewInstances.Add(new InstanceRow
                {
                    Key = key, SeriesKey = study.Series[0].Key, StudyKey = study.Study.Key, SopInstanceUid = uid, SopClassUid = "1.2.840.10008.5.1.4.1.1.2", BlobKey = blob.Key, Length = 524_288,
                    TransferSyntaxUid = TransferSyntax.ExplicitVRLittleEndian.Uid, DataSetOffset = 330, PixelDataOffset = 6000, Attributes = attributes, ReceivedAt = Archive.Now, Source = "CT1",
                });
                changes.NewHeaders.Add(new HeaderRow(key, HeaderEncoding.Raw, headerBytes));
            }
            await writer.CommitAsync(changes, Ct);
        }
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double cpuMicroseconds = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMicroseconds / (batch * batches);
        output.WriteLine($"batches of {batch}: {batch * batches / seconds:F0} instances/s, {seconds * 1000 / batches:F2} ms a batch, {cpuMicroseconds:F0} µs CPU an instance");
    }
}
