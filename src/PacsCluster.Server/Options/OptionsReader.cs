using System.Net;

namespace PacsCluster.Server.Options;

/// <summary>The options are wrong: every error, one line each.</summary>
internal sealed class OptionsException(IReadOnlyList<string> errors) : Exception(string.Join(Environment.NewLine, errors))
{
    /// <summary>One line per error.</summary>
    public IReadOnlyList<string> Errors { get; } = errors;
}

/// <summary>Reads the options: defaults, then the file, then the environment, then the command line; the later one wins.</summary>
internal static class OptionsReader
{
    /// <summary>Prefix of environment variables: <c>PACSCLUSTER__DIMSE__PORT</c>.</summary>
    public const string EnvironmentPrefix = "PACSCLUSTER__";

    /// <summary>Name of the file looked for in the data folder.</summary>
    public const string FileName = "pacscluster.json";

    /// <summary>Reads and checks all.</summary>
    /// <param name="configFile">A file that must exist; null for <see cref="FileName"/> in the data folder, if it is there.</param>
    /// <param name="commandLine">Options of the command line by their full name, e.g. <c>Dimse:Port</c>.</param>
    /// <exception cref="OptionsException">Something is wrong.</exception>
    public static ServerOptions Read(string? configFile, IReadOnlyCollection<KeyValuePair<string, string?>> commandLine)
    {
        var errors = new List<string>();
        IConfigurationRoot strong = new ConfigurationBuilder().AddEnvironmentVariables(EnvironmentPrefix).AddInMemoryCollection(commandLine).Build();
        string file = configFile ?? Path.Combine(strong[nameof(ServerOptions.Data)] ?? new ServerOptions().Data, FileName);
        var builder = new ConfigurationBuilder();
        if (File.Exists(file)) builder.AddJsonFile(Path.GetFullPath(file), optional: false, reloadOnChange: false);
        else if (configFile is not null) errors.Add($"--config: there is no file {configFile}");
        IConfigurationRoot configuration;
        try
        {
            configuration = builder.AddConfiguration(strong).Build();
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or FormatException)
        {
            throw new OptionsException([.. errors, $"{file}: {(e.InnerException ?? e).Message}"]);
        }
        ServerOptions options = OptionsBinder.Bind<ServerOptions>(configuration, errors);
        errors.AddRange(Validate(options));
        if (errors.Count > 0) throw new OptionsException(errors);
        return options with { Data = Path.GetFullPath(options.Data) };
    }

    /// <summary>What is wrong with options that could be read.</summary>
    internal static IEnumerable<string> Validate(ServerOptions options)
    {
        if (options.Data.Length == 0) yield return "Data: a folder is needed";
        if (options.Http.Port == options.Dimse.Port) yield return $"Http:Port: {options.Http.Port} is the DICOM port already";
        if (options.StopTimeout < TimeSpan.Zero || options.StopTimeout > TimeSpan.FromMinutes(10)) yield return $"StopTimeout: {options.StopTimeout} is not between 0 and 10 min";
        if (options.Node.Name.Length > 64 || options.Node.Name.Any(char.IsControl)) yield return "Node:Name: not up to 64 printable characters";
        if (options.Node.Site.Length > 64 || options.Node.Site.Any(char.IsControl)) yield return "Node:Site: not up to 64 printable characters";
        if (options.MinThreads is < 1 or > 1024) yield return $"MinThreads: {options.MinThreads} is not between 1 and 1024";
        if (options.Catalog.ConnectionString.Length > 0) foreach (string error in options.Catalog.Validate()) yield return "Catalog:" + error;
        foreach (string error in options.Http.Validate().Concat(options.Dimse.Validate()).Concat(options.Engine.Validate()).Concat(options.Web.Validate())) yield return error;
        foreach (string error in options.Blobs.Validate().Concat(options.Engine.ValidateStores(options.Blobs.Names()))) yield return error;
        bool open = options.BeyondLoopback == ServerOptions.BeyondLoopbackWords;
        if (!open && options.BeyondLoopback.Length > 0) yield return $"BeyondLoopback: write the words \"{ServerOptions.BeyondLoopbackWords}\", or nothing";
        bool asked = options.Web.Access.Callers.Count > 0;
        foreach ((string name, string bind, bool mayBeyond) in new[] { ("Http:BindAddress", options.Http.BindAddress, open || asked), ("Dimse:BindAddress", options.Dimse.BindAddress, open) })
        {
            if (!IPAddress.TryParse(bind, out IPAddress? address)) yield return $"{name}: '{bind}' is not an IP address";
            else if (!mayBeyond && !IPAddress.IsLoopback(address))
                yield return $"{name}: {bind} is not loopback, and no caller is authenticated; say BeyondLoopback=\"{ServerOptions.BeyondLoopbackWords}\" to listen there all the same{(name == "Http:BindAddress" ? ", or name the Web:Access:Callers" : "")}";
        }
    }
}
