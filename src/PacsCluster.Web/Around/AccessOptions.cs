namespace PacsCluster.Web;

/// <summary>Who may use DICOMweb.</summary>
public sealed record AccessOptions
{
    /// <summary>Callers, each known by a secret of its own: <c>Authorization: Bearer SECRET</c>, or Basic with name and secret. Default none: nobody is asked who they are.</summary>
    public IReadOnlyList<CallerOptions> Callers { get; init; } = [];

    /// <summary>A study, series or instance that a caller may not touch looks as if it were not there: 404 in place of 403. Default false.</summary>
    public bool HideForbidden { get; init; }

    internal void Validate(List<string> errors)
    {
        foreach (CallerOptions caller in Callers)
        {
            if (caller.Name.Length is < 1 or > 64 || caller.Name.Any(c => char.IsControl(c) || c == ':')) errors.Add($"Web:Access:Callers: '{caller.Name}' is not a name of 1 to 64 printable characters without a colon");
            if (caller.Secret.Length is < 16 or > 1024) errors.Add($"Web:Access:Callers:{caller.Name}:Secret: is not 16 to 1,024 characters long");
        }
        foreach (string name in Callers.GroupBy(c => c.Name, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key)) errors.Add($"Web:Access:Callers: '{name}' is there twice");
        if (Callers.Select(c => c.Secret).Distinct(StringComparer.Ordinal).Count() < Callers.Count) errors.Add("Web:Access:Callers: two have the same secret");
    }
}

/// <summary>One caller of DICOMweb, and what it may do.</summary>
public sealed record CallerOptions
{
    /// <summary>Its name, e.g. <c>viewer</c>; stands in what it deletes. 1 to 64 printable characters without a colon.</summary>
    public string Name { get; init; } = "";

    /// <summary>Its secret, 16 to 1,024 characters; nobody else has the same. Made by chance: <c>openssl rand -hex 32</c>.</summary>
    public string Secret { get; init; } = "";

    /// <summary>It may search, retrieve and read the change feed. Default true.</summary>
    public bool Read { get; init; } = true;

    /// <summary>It may store. Default false.</summary>
    public bool Store { get; init; }

    /// <summary>It may delete, see what was deleted, and take that back. Default false.</summary>
    public bool Delete { get; init; }

    /// <summary>The name; never the secret.</summary>
    public override string ToString() => Name;
}
