using Xunit;

namespace PacsCluster.Testing;

/// <summary>What a test does without something it needs: it fails in CI, and is skipped with the reason on a user's machine.</summary>
public static class Missing
{
    /// <summary>Runs in CI (the variable CI is "true").</summary>
    public static bool InCI => string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>Ends the calling test; returns only for the compiler's sake.</summary>
    public static Exception Because(string reason)
    {
        if (InCI) Assert.Fail(reason);
        Assert.Skip(reason);
        return new InvalidOperationException(reason);
    }
}
