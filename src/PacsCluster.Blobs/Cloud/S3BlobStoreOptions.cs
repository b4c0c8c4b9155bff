namespace PacsCluster.Blobs;

/// <summary>A bucket of S3, or of a server that speaks its protocol.</summary>
public sealed record S3BlobStoreOptions : CloudBlobStoreOptions
{
    /// <summary>Named <c>s3</c>.</summary>
    public S3BlobStoreOptions() => Name = "s3";

    /// <summary>Bucket; must exist.</summary>
    public string Bucket { get; init; } = "";

    /// <summary>Where the server is, for example <c>https://minio.hospital.example:9000</c>; null for AWS.</summary>
    public string? Endpoint { get; init; }

    /// <summary>Region, also in signatures. Default <c>us-east-1</c>.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>Access key id; null for what the environment says (variables, profile, instance or pod role).</summary>
    public string? AccessKey { get; init; }

    /// <summary>Secret of the access key. A secret.</summary>
    public string? SecretKey { get; init; }

    /// <summary>The bucket in the path (<c>host/bucket/key</c>) instead of the host name, as most servers that are not AWS want it. Default true with an endpoint.</summary>
    public bool? PathStyle { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Validate()
    {
        List<string> errors = [.. base.Validate()];
        if (string.IsNullOrWhiteSpace(Bucket)) errors.Add($"{nameof(Bucket)}: must name a bucket");
        if (string.IsNullOrWhiteSpace(Region)) errors.Add($"{nameof(Region)}: must not be empty");
        if (string.IsNullOrEmpty(AccessKey) != string.IsNullOrEmpty(SecretKey)) errors.Add($"{nameof(SecretKey)}: access key and secret go together");
        if (!string.IsNullOrEmpty(Endpoint) && (!Uri.TryCreate(Endpoint, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))) errors.Add($"{nameof(Endpoint)}: must be an http or https URL");
        return errors;
    }
}
