using System.Text.RegularExpressions;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

/// <summary>What an operator writes to delete, to take it back and to see the nodes; beside a running server.</summary>
public sealed partial class DeletionCommandTests
{
    [Fact]
    public async Task A_study_is_deleted_listed_and_taken_back_beside_a_running_server()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.At("in"));
        string study = Synthetic.NewUid(), series = Synthetic.NewUid();
        for (int i = 0; i < 5; i++) Synthetic.Write(folder.At("in", $"{i}.dcm"), study, series);
        Task<ToolResult> RunAsync(params string[] arguments) => RunningServer.RunAsync([.. arguments, "--data", folder.At("data")]);
        await using RunningServer server = await RunningServer.StartAsync(folder.At("data"), "--set", "Node:Name=test-node", "--set", "Node:Site=east");
        Assert.Equal(0, (await RunAsync("import", folder.At("in"))).ExitCode);
        Task<ToolResult> FindAsync() => RunAsync("find", "--json", "-k", $"StudyInstanceUID={study}");
        Assert.Contains(study, (await FindAsync()).Output, StringComparison.Ordinal);

        ToolResult deleted = await RunAsync("delete", "--study", study, "--reason", "a test");
        Assert.True(deleted.ExitCode == 0, deleted.Output);
        Assert.Contains("5 instances are hidden now", deleted.Output, StringComparison.Ordinal);
        string key = Number().Match(deleted.Output).Groups[1].Value;
        Assert.DoesNotContain(study, (await FindAsync()).Output, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("delete", "--study", study)).ExitCode);
        Assert.NotEqual(0, (await RunAsync("delete", "--series", series)).ExitCode);

        ToolResult list = await RunAsync("undelete");
        Assert.Contains($"study {study}\ta test", list.Output, StringComparison.Ordinal);
        Assert.Contains("1 deletions can be taken back", list.Output, StringComparison.Ordinal);
        ToolResult restored = await RunAsync("undelete", key);
        Assert.True(restored.ExitCode == 0, restored.Output);
        Assert.Contains("5 instances restored, 0 were stored again meanwhile, 0 stay deleted", restored.Output, StringComparison.Ordinal);
        Assert.Contains(study, (await FindAsync()).Output, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("undelete", key)).ExitCode);
        Assert.Equal(0, (await RunAsync("verify")).ExitCode);

        ToolResult nodes = await RunAsync("nodes");
        Assert.True(nodes.ExitCode == 0, nodes.Output);
        Assert.Matches($"test-node\talive\teast\tdimse,web,worker\t.*dicom://127.0.0.1:{server.DicomPort}/PACSCLUSTER http://127.0.0.1:{server.HttpPort}/dicom-web", nodes.Output);
        Assert.Equal(0, await server.StopAsync());
        Assert.Equal(1, (await RunAsync("nodes")).ExitCode);
    }

    [Theory]
    [InlineData("delete", "undelete")]
    [InlineData("undelete", "stored again meanwhile")]
    [InlineData("nodes", "lives")]
    public async Task Help_teaches(string command, string word)
    {
        ToolResult help = await RunningServer.RunAsync(command, "--help");
        Assert.Equal(0, help.ExitCode);
        Assert.Contains(word, help.Output, StringComparison.Ordinal);
        Assert.Contains($"PacsCluster.Server {command}", help.Output, StringComparison.Ordinal);
    }

    [GeneratedRegex("deletion ([0-9]+):")]
    private static partial Regex Number();
}
