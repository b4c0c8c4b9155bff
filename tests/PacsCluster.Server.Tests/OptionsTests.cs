using PacsCluster.Server.Options;
using PacsCluster.Testing;

namespace PacsCluster.Server.Tests;

public sealed class OptionsTests
{
    private static ServerOptions Read(params (string Name, string Value)[] values) =>
        OptionsReader.Read(null, [.. values.Select(v => new KeyValuePair<string, string?>(v.Name, v.Value)).Append(new("Data", "/nonexistent/data"))]);

    [Fact]
    public void Defaults_are_valid_and_on_loopback()
    {
        ServerOptions options = Read();
        Assert.Equal(11112, options.Dimse.Port);
        Assert.Equal("PACSCLUSTER", options.Dimse.AETitle);
        Assert.Equal("127.0.0.1", options.Dimse.BindAddress);
        Assert.Equal(8080, options.Http.Port);
        Assert.Equal("127.0.0.1", options.Http.BindAddress);
    }

    [Fact]
    public void Every_error_is_listed_by_the_name_that_the_operator_wrote()
    {
        var thrown = Assert.Throws<OptionsException>(() => Read(
            ("Dimse:Prot", "104"), ("Http:Port", "x"), ("Engine:BatchMaxItems", "0"), ("Log:Level", "Loud"), ("Engine:Policy:MissingUid", "Store"), ("Dimse", "5")));
        Assert.Contains(thrown.Errors, e => e.StartsWith("Dimse:Prot: no such option (did you mean Port?)", StringComparison.Ordinal));
        Assert.Contains(thrown.Errors, e => e.StartsWith("Http:Port: 'x' is not a whole number", StringComparison.Ordinal));
        Assert.Contains(thrown.Errors, e => e.StartsWith("Engine:BatchMaxItems: 0 is not between", StringComparison.Ordinal));
        Assert.Contains(thrown.Errors, e => e.StartsWith("Log:Level: 'Loud' is not one of Trace,", StringComparison.Ordinal));
        Assert.Contains(thrown.Errors, e => e.StartsWith("Engine:Policy:MissingUid:", StringComparison.Ordinal));
    }

    [Fact]
    public void Beyond_loopback_needs_the_words()
    {
        Assert.Throws<OptionsException>(() => Read(("Dimse:BindAddress", "0.0.0.0")));
        Assert.Throws<OptionsException>(() => Read(("Dimse:BindAddress", "0.0.0.0"), ("BeyondLoopback", "yes")));
        Assert.Equal("0.0.0.0", Read(("Dimse:BindAddress", "0.0.0.0"), ("BeyondLoopback", ServerOptions.BeyondLoopbackWords)).Dimse.BindAddress);
    }

    [Fact]
    public void C_94_HTTP_may_go_beyond_loopback_where_callers_are_asked_who_they_are_and_DICOM_may_not()
    {
        (string, string)[] caller = [("Web:Access:Callers:0:Name", "viewer"), ("Web:Access:Callers:0:Secret", "0123456789abcdef"), ("Web:Access:Callers:0:Delete", "true")];
        Assert.Equal("0.0.0.0", Read([("Http:BindAddress", "0.0.0.0"), .. caller]).Http.BindAddress);
        Assert.Throws<OptionsException>(() => Read(("Http:BindAddress", "0.0.0.0")));
        Assert.Throws<OptionsException>(() => Read([("Dimse:BindAddress", "0.0.0.0"), .. caller]));
        // No error says a secret.
        var thrown = Assert.Throws<OptionsException>(() => Read([.. caller, ("Web:Access:Callers:1:Name", "viewer"), ("Web:Access:Callers:1:Secret", "0123456789abcdef")]));
        Assert.DoesNotContain(thrown.Errors, error => error.Contains("0123456789abcdef", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("200 ms", 0.2)]
    [InlineData("200ms", 0.2)]
    [InlineData("30 s", 30)]
    [InlineData("5 min", 300)]
    [InlineData("6 h", 21600)]
    [InlineData("7 d", 604800)]
    [InlineData("00:01:30", 90)]
    [InlineData("0", 0)]
    public void Times_are_written_with_their_unit(string text, double seconds)
    {
        Assert.True(OptionsBinder.TryParseTime(text, out TimeSpan time));
        Assert.Equal(seconds, time.TotalSeconds);
    }

    [Theory]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("1e99 s")]
    [InlineData("")]
    public void Times_without_a_unit_are_refused(string text) => Assert.False(OptionsBinder.TryParseTime(text, out _));

    [Fact]
    public void Lists_records_and_dictionaries_are_bound()
    {
        ServerOptions options = Read(("Dimse:KnownAEs:0:AETitle", "VIEWER"), ("Dimse:KnownAEs:0:Host", "10.0.0.7"), ("Dimse:KnownAEs:0:Port", "4242"),
            ("Engine:CallingAETitles:CT1:DifferentContent", "Replace"), ("Engine:QueueMaxBytes", "64 MiB"), ("Dimse:AETitleAliases", "A,B"));
        Assert.Equal(("VIEWER", "10.0.0.7", 4242), (options.Dimse.KnownAEs[0].AETitle, options.Dimse.KnownAEs[0].Host, options.Dimse.KnownAEs[0].Port));
        Assert.Equal(Engine.DifferentContentPolicy.Replace, options.Engine.CallingAETitles["CT1"].DifferentContent);
        Assert.Equal(64 * 1024 * 1024, options.Engine.QueueMaxBytes);
        Assert.Equal(["A", "B"], options.Dimse.AETitleAliases);
        Assert.Throws<OptionsException>(() => Read(("Dimse:KnownAEs:0:Port", "4242")));
    }

    [Fact]
    public void Blob_stores_are_named_by_kind_and_policies_choose_among_them()
    {
        ServerOptions options = Read(
            ("Blobs:Azure:CLOUD:Container", "pacs"), ("Blobs:Azure:CLOUD:ConnectionString", "UseDevelopmentStorage=true"), ("Blobs:S3:bucket:Bucket", "pacs"), ("Blobs:S3:bucket:Retries", "0"),
            ("Blobs:Files:site-files:Folder", "/srv/blobs"), ("Engine:Policy:Copies", "site-files,cloud"), ("Engine:CallingAETitles:CT1:LaterCopies:0", "bucket"));
        Assert.Equal(["files", "site-files", "cloud", "bucket"], options.Blobs.Names());
        Assert.Equal(["site-files", "cloud"], options.Engine.Policy.Copies);
        Assert.Equal(["site-files", "cloud"], options.Engine.PolicyFor("CT1").Copies);
        Assert.Equal(["bucket"], options.Engine.PolicyFor("CT1").LaterCopies);
        Assert.Equal(["files"], Read().Blobs.Names());
        Assert.Empty(Read().Engine.Policy.Copies);
    }

    [Fact]
    public void Everything_that_is_wrong_with_blob_stores_is_listed()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.At("short"), "abc");
        OptionsException thrown = Assert.Throws<OptionsException>(() => Read(
            ("Blobs:Azure:cloud:Name", "x"), ("Blobs:Azure:cloud:PartBytes", "1"), ("Blobs:Azure:a b:Container", "pacs"), ("Blobs:S3:cloud:AccessKey", "x"), ("Blobs:Files:near:CommitThreads", "2"),
            ("Blobs:Tape:x:Y", "1"), ("Engine:Policy:Copies", "cloud,far"), ("Engine:Policy:LaterCopies", "cloud"),
            ("Blobs:Encryption:Stores", "bucket"), ("Blobs:Encryption:CurrentKey", "b"), ("Blobs:Encryption:Keys:0:Id", "a"), ("Blobs:Encryption:Keys:0:File", folder.At("short")),
            ("Blobs:Encryption:Keys:1:Id", "c"), ("Blobs:Encryption:Keys:1:Environment", "PACSCLUSTER_NO_SUCH_VARIABLE")));
        foreach (string begin in new[]
        {
            "Blobs:Azure:cloud:Name: no such option", "Blobs:Azure:cloud:Container: must name", "Blobs:Azure:cloud:ConnectionString: give either", "Blobs:Azure:cloud:PartBytes: 5242880",
            "Blobs: 'a b' cannot be a store's name", "Blobs:S3:cloud:Bucket: must name", "Blobs:S3:cloud:SecretKey: access key and secret", "Blobs: two stores are named 'cloud'",
            "Blobs:Files:near:Folder: is needed", "Blobs:Tape: no such option", "Engine:Policy:Copies: there is no blob store 'far' (there is", "Engine:Policy:Copies: 'cloud' is named twice",
            "Blobs:Encryption:Stores: there is no blob store 'bucket'", "Blobs:Encryption:Keys: key 'a': ", "Blobs:Encryption:Keys: key 'c': the variable", "Blobs:Encryption:Keys: the current key 'b' is not in the ring",
        })
            Assert.True(thrown.Errors.Any(e => e.StartsWith(begin, StringComparison.Ordinal)), $"{begin} is not in:\n{string.Join("\n", thrown.Errors)}");
        Assert.Throws<OptionsException>(() => Read(("Blobs:Encryption:Stores", "files")));
    }

    [Fact]
    public void The_command_line_wins_over_the_file_in_the_data_folder()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.At("pacscluster.json"), """{ "Dimse": { "Port": 104, "AETitle": "FROMFILE" } }""");
        ServerOptions options = OptionsReader.Read(null, [new("Data", folder.Path), new("Dimse:Port", "105")]);
        Assert.Equal((105, "FROMFILE"), (options.Dimse.Port, options.Dimse.AETitle));
        File.WriteAllText(folder.At("pacscluster.json"), "{ broken");
        Assert.Throws<OptionsException>(() => OptionsReader.Read(null, [new("Data", folder.Path)]));
    }

    [Fact]
    public void The_reference_in_OPTIONS_md_is_current()
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "PacsCluster.sln"))) root = root.Parent;
        string path = Path.Combine(root!.FullName, "src", "PacsCluster.Server", "OPTIONS.md");
        Assert.Equal(OptionsReference.ToMarkdown(), File.ReadAllText(path));
        Assert.All(OptionsReference.All(), o => Assert.False(o.Meaning.Length == 0, $"{o.Name} has no documentation"));
    }
}
