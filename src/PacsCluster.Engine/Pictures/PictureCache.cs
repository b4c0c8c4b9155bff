namespace PacsCluster.Engine;

/// <summary>Encoded pictures in memory, up to so many bytes; what was used longest ago goes first. One that two ask for at once is made once.</summary>
/// <remarks>In memory and not in the blob store: blobs without rows are swept away, a second store of patients' pictures would have to be deleted with them,
/// and making one again costs one ranged read and a few milliseconds.</remarks>
internal sealed class PictureCache(long bytesMax)
{
    // What an entry costs beside its bytes.
    private const int Overhead = 256;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _entries = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _byUse = new();
    private long _bytes;

    private sealed class Entry(string key)
    {
        public string Key { get; } = key;
        public Task<byte[]> Picture { get; set; } = Task.FromResult(Array.Empty<byte>());
        public long Bytes { get; set; }
    }

    /// <summary>Bytes held now.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock) return _bytes;
        }
    }

    /// <summary>The kept one, or that of <paramref name="make"/>. What failed is not kept.</summary>
    public Task<byte[]> GetAsync(string key, Func<Task<byte[]>> make)
    {
        LinkedListNode<Entry> node;
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out LinkedListNode<Entry>? known))
            {
                _byUse.Remove(known);
                _byUse.AddFirst(known);
                return known.Value.Picture;
            }
            node = _byUse.AddFirst(new Entry(key));
            _entries.Add(key, node);
            // Made outside of the lock, but known before it is released: who comes next waits for this one.
            node.Value.Picture = Task.Run(() => MakeAsync(node, make));
            return node.Value.Picture;
        }
    }

    private async Task<byte[]> MakeAsync(LinkedListNode<Entry> node, Func<Task<byte[]>> make)
    {
        byte[]? picture = null;
        try
        {
            picture = await make();
            return picture;
        }
        finally
        {
            lock (_lock)
            {
                // It may have been the one used longest ago while it was made.
                bool isKept = node.List is not null;
                if (picture is null) Remove(node);
                else if (isKept)
                {
                    node.Value.Bytes = picture.Length + Overhead;
                    _bytes += node.Value.Bytes;
                    while (_bytes > bytesMax && _byUse.Last is { } last) Remove(last);
                }
            }
        }
    }

    private void Remove(LinkedListNode<Entry> node)
    {
        if (node.List is null) return;
        _entries.Remove(node.Value.Key);
        _byUse.Remove(node);
        _bytes -= node.Value.Bytes;
    }
}
