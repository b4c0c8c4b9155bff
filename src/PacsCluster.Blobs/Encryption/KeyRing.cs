using System.Text;

namespace PacsCluster.Blobs;

/// <summary>Where one key of the ring comes from.</summary>
public sealed record EncryptionKeyOptions
{
    /// <summary>Names the key in every blob that it protects: 1 to 32 characters of ASCII letters, digits, <c>-</c> <c>_</c> <c>.</c> Never given to another key.</summary>
    public required string Id { get; init; }

    /// <summary>A file that holds the key: 32 bytes as they are, or as base64 or 64 hexadecimal digits.</summary>
    public string? File { get; init; }

    /// <summary>An environment variable that holds the key as base64 or 64 hexadecimal digits.</summary>
    public string? Environment { get; init; }
}

/// <summary>The keys that open blobs, and the one that new blobs get. A key that some blob still needs must stay in the ring.</summary>
public sealed class KeyRing
{
    private const int KeyBytes = 32;

    private readonly Dictionary<string, byte[]> _keys = new(StringComparer.Ordinal);

    /// <summary>A ring of keys at hand.</summary>
    /// <param name="keys">Id and 32 bytes each.</param>
    /// <param name="currentId">The key of new blobs.</param>
    /// <exception cref="ArgumentException">An id or a key is not as it should be, an id comes twice, the current one is missing.</exception>
    public KeyRing(IEnumerable<KeyValuePair<string, byte[]>> keys, string currentId)
    {
        foreach ((string id, byte[] key) in keys)
        {
            if (!IsId(id)) throw new ArgumentException($"key id '{id}': 1 to 32 of ASCII letters, digits, - _ .");
            if (key.Length != KeyBytes) throw new ArgumentException($"key '{id}' has {key.Length} bytes, not {KeyBytes}");
            if (!_keys.TryAdd(id, key)) throw new ArgumentException($"key '{id}' is given twice");
        }
        if (!_keys.ContainsKey(currentId)) throw new ArgumentException($"the current key '{currentId}' is not in the ring");
        CurrentId = currentId;
    }

    /// <summary>The key that new blobs get.</summary>
    public string CurrentId { get; }

    /// <summary>Reads the keys from where the options say.</summary>
    /// <exception cref="ArgumentException">A key cannot be read or is none; says which, never its bytes.</exception>
    public static KeyRing Load(IReadOnlyList<EncryptionKeyOptions> keys, string currentId) =>
        new([.. keys.Select(k => KeyValuePair.Create(k.Id, Read(k)))], currentId);

    /// <summary>What is wrong with where the keys are to come from, a line each, never a key's bytes; empty when <see cref="Load"/> will do.</summary>
    public static IReadOnlyList<string> Validate(IReadOnlyList<EncryptionKeyOptions> keys, string currentId)
    {
        ArgumentNullException.ThrowIfNull(keys);
        List<string> errors = [];
        foreach (EncryptionKeyOptions key in keys)
        {
            try
            {
                // Alone, and so by itself the current one.
                _ = new KeyRing([KeyValuePair.Create(key.Id, Read(key))], key.Id);
            }
            catch (ArgumentException e)
            {
                errors.Add(e.Message);
            }
        }
        errors.AddRange(keys.GroupBy(k => k.Id, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => $"key '{g.Key}' is given twice"));
        if (keys.All(k => k.Id != currentId)) errors.Add($"the current key '{currentId}' is not in the ring");
        return errors;
    }

    internal byte[]? Find(string id) => _keys.GetValueOrDefault(id);

    internal byte[] Current => _keys[CurrentId];

    private static bool IsId(string id) => id.Length is >= 1 and <= 32 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static byte[] Read(EncryptionKeyOptions key)
    {
        if (string.IsNullOrEmpty(key.File) == string.IsNullOrEmpty(key.Environment)) throw new ArgumentException($"key '{key.Id}': give either {nameof(key.File)} or {nameof(key.Environment)}");
        if (string.IsNullOrEmpty(key.File))
        {
            string text = System.Environment.GetEnvironmentVariable(key.Environment!) ?? throw new ArgumentException($"key '{key.Id}': the variable {key.Environment} is not set");
            return Decode(text) ?? throw new ArgumentException($"key '{key.Id}': the variable {key.Environment} does not hold {KeyBytes} bytes as base64 or hexadecimal digits");
        }
        byte[] bytes;
        try
        {
            bytes = System.IO.File.ReadAllBytes(key.File);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ArgumentException($"key '{key.Id}': {key.File} cannot be read: {e.Message}", e);
        }
        if (bytes.Length == KeyBytes) return bytes;
        return Decode(Encoding.ASCII.GetString(bytes)) ?? throw new ArgumentException($"key '{key.Id}': {key.File} does not hold {KeyBytes} bytes, plain, as base64 or as hexadecimal digits");
    }

    private static byte[]? Decode(string text)
    {
        text = text.Trim();
        if (text.Length == 2 * KeyBytes && text.All(char.IsAsciiHexDigit)) return Convert.FromHexString(text);
        var bytes = new byte[KeyBytes];
        return Convert.TryFromBase64String(text, bytes, out int length) && length == KeyBytes ? bytes : null;
    }
}
