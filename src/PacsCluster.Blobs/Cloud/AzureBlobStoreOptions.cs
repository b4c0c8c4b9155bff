using Azure.Storage.Blobs;

namespace PacsCluster.Blobs;

/// <summary>A container of Azure Blob Storage and how to come in: a connection string, or an endpoint with a SAS, or an endpoint alone, which takes what
/// Azure.Identity finds (workload identity, managed identity, environment, az login).</summary>
public sealed record AzureBlobStoreOptions : CloudBlobStoreOptions
{
    /// <summary>Named <c>azure</c>.</summary>
    public AzureBlobStoreOptions() => Name = "azure";

    /// <summary>Container; must exist.</summary>
    public string Container { get; init; } = "";

    /// <summary>Connection string of the account (with AccountKey or SharedAccessSignature). A secret.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>The account's blob endpoint, for example <c>https://account.blob.core.windows.net</c>, when there is no connection string.</summary>
    public string? Endpoint { get; init; }

    /// <summary>Shared access signature of account or container, with or without its question mark. Needs read, write, delete and list. A secret.</summary>
    public string? Sas { get; init; }

    /// <summary>Client id of a user-assigned managed identity; null for what the environment says.</summary>
    public string? ClientId { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Validate()
    {
        List<string> errors = [.. base.Validate()];
        if (string.IsNullOrWhiteSpace(Container)) errors.Add($"{nameof(Container)}: must name a container");
        if (string.IsNullOrEmpty(ConnectionString) == string.IsNullOrEmpty(Endpoint)) errors.Add($"{nameof(ConnectionString)}: give either it or {nameof(Endpoint)}");
        if (!string.IsNullOrEmpty(ConnectionString))
        {
            if (!string.IsNullOrEmpty(Sas)) errors.Add($"{nameof(Sas)}: goes with {nameof(Endpoint)}; a connection string holds its own");
            if (!CanParse(ConnectionString)) errors.Add($"{nameof(ConnectionString)}: is not a connection string of a storage account");
        }
        if (!string.IsNullOrEmpty(Endpoint))
        {
            if (!Uri.TryCreate(Endpoint, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https")) errors.Add($"{nameof(Endpoint)}: must be an http or https URL");
            else if (string.IsNullOrEmpty(Sas) && uri.Scheme != "https") errors.Add($"{nameof(Endpoint)}: tokens of Azure.Identity go over https only");
        }
        return errors;
    }

    private static bool CanParse(string connectionString)
    {
        try
        {
            _ = new BlobServiceClient(connectionString);
            return true;
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return false;
        }
    }
}
