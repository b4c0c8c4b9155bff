using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

/// <summary>The archive that the query tests ask: two patients with six studies of the corpus, and six patients that pydicom wrote in other
/// character sets (<c>made_population.py</c>).</summary>
public sealed class QueryPopulation : IAsyncLifetime
{
    private const string Made = "1.2.826.0.1.3680043.10.1463.99.";
    private const string Base = "1.3.6.1.4.1.5962.1.1.0.0.0.";

    /// <summary>Study Instance UIDs by the labels of <see cref="FindScript"/>.</summary>
    public static readonly IReadOnlyDictionary<string, string> Studies = new Dictionary<string, string>
    {
        ["A1"] = Base + "1196527414.5534.0.1", // Doe^Archibald, CR, 3 series of 1
        ["A2"] = Base + "1196530851.28319.0.1", // CT, 4
        ["P1"] = Base + "1194734704.16302.0.1", // Doe^Peter, CT, 2 + 5
        ["P2"] = Base + "1196533885.18148.0.427", // MR Carotids, 1 + 1
        ["P3"] = Base + "1196533885.18148.0.133", // MR Brain, 1 + 3
        ["P4"] = Base + "1196533885.18148.0.1", // MR Brain-MRA, 1 + 3 + 7
        ["M1"] = Made + "1", // each: one series of 2, one of 3
        ["M2"] = Made + "2",
        ["M3"] = Made + "3",
        ["M4"] = Made + "4",
        ["M5"] = Made + "5",
        ["M6"] = Made + "6",
    };

    private ArchiveServer? _server;

    internal ArchiveServer Server => _server ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync()
    {
        IReadOnlyList<string> files = Corpus.Files("pydicom/src/pydicom/data/test_files/dicomdirtests");
        ArchiveServer server = await ArchiveServer.StartAsync();
        foreach (string file in files.Where(f => f.Contains("/dicomdirtests/7", StringComparison.Ordinal) || f.Contains("/dicomdirtests/9", StringComparison.Ordinal)))
        {
            await server.StoreAsync(file);
        }
        using var folder = new TempFolder();
        string script = Path.Combine(AppContext.BaseDirectory, "QueryRetrieve", "made_population.py");
        ToolResult made = await Tool.RunAsync("/usr/bin/python3", [script, folder.Path]);
        Assert.True(made.ExitCode == 0, made.Output);
        foreach (string file in Directory.GetFiles(folder.Path)) await server.StoreAsync(file);
        _server = server;
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }
}
