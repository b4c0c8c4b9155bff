using System.Reflection;

namespace PacsCluster.Server;

/// <summary>The version of this build.</summary>
internal static class ServerVersion
{
    /// <summary>Version and, where the build knew it, the commit's first digits.</summary>
    public static string Text { get; } = Shorten(typeof(ServerVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0");

    private static string Shorten(string version)
    {
        int plus = version.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 || version.Length < plus + 9 ? version : version[..(plus + 9)];
    }
}
