using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace PacsCluster.Testing;

/// <summary>A new empty folder that goes with the test.</summary>
public sealed class TempFolder : IDisposable
{
    /// <summary>Makes it under the system's folder for temporary files.</summary>
    public TempFolder() => Path = Directory.CreateTempSubdirectory("pacscluster-").FullName;

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>A path below it.</summary>
    public string At(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Ports of loopback.</summary>
public static class FreePort
{
    private static readonly ConcurrentDictionary<int, bool> s_given = new();

    /// <summary>A TCP port that nobody listened on a moment ago, and that was not given before.</summary>
    public static int Next()
    {
        while (true)
        {
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            int port = ((IPEndPoint)probe.LocalEndPoint!).Port;
            if (s_given.TryAdd(port, true)) return port;
        }
    }
}
