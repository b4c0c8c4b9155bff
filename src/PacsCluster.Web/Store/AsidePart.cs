namespace PacsCluster.Web;

/// <summary>A part of bulk data that waits for the end of its request: in memory when it is small, else in a temporary file that goes with it.</summary>
internal sealed class AsidePart : IDisposable
{
    private static readonly Uri s_base = new("http://service/dicom-web/");

    private readonly byte[]? _bytes;
    private readonly string? _file;
    private readonly string? _location;
    private readonly string? _contentId;

    private AsidePart(BodyPart part, byte[]? bytes, string? file, long length)
    {
        MediaType = part.ContentType;
        _location = part.ContentLocation;
        _contentId = part.ContentId?.Trim('<', '>');
        _bytes = bytes;
        _file = file;
        Length = length;
    }

    /// <summary>Null when the part says none.</summary>
    public MediaType? MediaType { get; }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    /// <summary>Reads a part to its end.</summary>
    public static async Task<AsidePart> ReadAsync(BodyPart part, StoreOptions options, CancellationToken ct)
    {
        byte[] first = new byte[options.BulkInMemoryBytes + 1];
        int length = await part.Body.ReadAtLeastAsync(first, first.Length, throwOnEndOfStream: false, ct);
        if (length < first.Length) return new AsidePart(part, first[..length], null, length);
        string file = Path.Combine(options.TempFolder.Length > 0 ? options.TempFolder : Path.GetTempPath(), $"pacscluster-{Guid.NewGuid():N}.part");
        try
        {
            await using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.Asynchronous);
            await stream.WriteAsync(first.AsMemory(0, length), ct);
            await part.Body.CopyToAsync(stream, ct);
            return new AsidePart(part, null, file, stream.Length);
        }
        catch
        {
            File.Delete(file);
            throw;
        }
    }

    /// <summary>A BulkDataURI means this part: its Content-Location, absolute or relative, or its Content-ID as a <c>cid:</c> URL.</summary>
    public bool IsAt(string uri)
    {
        if (uri.StartsWith("cid:", StringComparison.OrdinalIgnoreCase)) return _contentId == uri[4..];
        if (_location is null) return false;
        return _location == uri || (Uri.TryCreate(s_base, _location, out Uri? own) && Uri.TryCreate(s_base, uri, out Uri? asked) && own == asked);
    }

    /// <summary>Opens it from its first byte.</summary>
    public Stream Open() => _bytes is not null ? new MemoryStream(_bytes, writable: false) : new FileStream(_file!, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous);

    /// <summary>All of it; for what must be in memory anyway.</summary>
    public byte[] ReadAll() => _bytes ?? File.ReadAllBytes(_file!);

    public void Dispose()
    {
        if (_file is not null) File.Delete(_file);
    }
}
