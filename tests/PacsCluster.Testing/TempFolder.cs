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
    // Below the range from which systems give ports by themselves: between a test's asking for one and a tool's listening on it, some other socket of a test would else get it.
    private const int First = 20_000, Last = 32_000;

    private static int s_next = Random.Shared.Next(Last - First);

    /// <summary>A TCP port that nobody listened on a moment ago, and that was not given before.</summary>
    public static int Next()
    {
        while (true)
        {
            int port = First + (int)((uint)Interlocked.Increment(ref s_next) % (Last - First));
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Somebody's: the next one.
            }
        }
    }
}
