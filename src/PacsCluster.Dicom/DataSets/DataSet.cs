using System.Collections;

namespace PacsCluster.Dicom;

/// <summary>A Data Set (PS3.5 section 7): elements in order of their tags, at most one a tag. It is a view on the bytes it was read from:
/// an index of 16 bytes an element is built at once, a value is decoded each time it is asked for, and items when a sequence is first asked for.
/// Not safe for several threads at once.</summary>
public sealed partial class DataSet : IEnumerable<DataElement>
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly DataSet? _parent;
    private readonly int _levelsLeft;
    private Entry[] _entries;
    private int _count;
    private List<Replacement>? _replacements;
    private Dictionary<Tag, DataSet[]>? _items;
    private CharacterSet? _characterSet;
    private bool _changed;
    // The item or value this was read from had an undefined length; written back the same way.
    private readonly bool _undefinedLength;
    private readonly bool _hasGroupLengths;

    /// <summary>An empty data set.</summary>
    /// <param name="encoding">How <see cref="DataElement.RawValue"/> and <see cref="SetRaw"/> bytes are encoded, and what <see cref="ToArray"/> writes
    /// unless told. Explicit VR Little Endian when null.</param>
    public DataSet(TransferSyntax? encoding = null)
    {
        Encoding = WithoutDeflate(encoding ?? TransferSyntax.ExplicitVRLittleEndian);
        Mode = ModeOf(Encoding);
        _entries = [];
        _levelsLeft = new ReadOptions().DepthMax;
        _changed = true;
    }

    private DataSet(DataSet parent) : this(parent.Encoding)
    {
        _parent = parent;
        _levelsLeft = parent._levelsLeft - 1;
    }

    private DataSet(ReadOnlyMemory<byte> bytes, TransferSyntax encoding, Mode mode, int levelsLeft, DataSet? parent, bool undefinedLength)
    {
        _bytes = bytes;
        Encoding = encoding;
        Mode = mode;
        _parent = parent;
        _levelsLeft = levelsLeft;
        _undefinedLength = undefinedLength;
        DataSetIndexer.Result index = DataSetIndexer.Index(bytes.Span, mode, levelsLeft, nested: parent is not null);
        _entries = index.Entries;
        _count = index.Entries.Length;
        _hasGroupLengths = index.HasGroupLengths;
    }

    /// <summary>Indexes the elements that <paramref name="bytes"/> hold, without copying or decoding; the caller must not change them after.
    /// A deflated data set is inflated first. Of several elements with one tag the first counts, as in DCMTK; elements out of order are put in order.
    /// Zeros behind the last element are ignored.</summary>
    /// <exception cref="DicomFormatException">Not a data set, cut off, or nested too deep.</exception>
    public static DataSet Read(ReadOnlyMemory<byte> bytes, TransferSyntax encoding, ReadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(encoding);
        options ??= ReadOptions.Default;
        if (encoding.IsDeflated) bytes = Inflater.InflateAll(bytes.Span, options.InflatedMaxBytes);
        encoding = WithoutDeflate(encoding);
        return new DataSet(bytes, encoding, ModeOf(encoding), options.DepthMax, null, false);
    }

    /// <summary>Encoding of <see cref="DataElement.RawValue"/> bytes. For what was deflated it is Explicit VR Little Endian; items of a UN sequence are
    /// Implicit VR Little Endian inside whatever there is around them.</summary>
    public TransferSyntax Encoding { get; }

    internal Mode Mode { get; }

    internal int LevelsLeft => _levelsLeft;

    internal bool UndefinedLength => _undefinedLength;

    /// <summary>Specific Character Set in force, own or inherited from the data set around this item (PS3.5 section 7.5.3).</summary>
    public CharacterSet CharacterSet => _characterSet ??= Contains(Tags.SpecificCharacterSet)
        ? CharacterSet.FromTerms(GetStrings(Tags.SpecificCharacterSet))
        : _parent?.CharacterSet ?? CharacterSet.Default;

    /// <summary>An empty item for a sequence of this data set: same encoding, and its character set unless the item gets its own.</summary>
    public DataSet NewItem() => new(this);

    /// <summary>Number of elements at this level.</summary>
    public int Count => _count;

    /// <summary>Whether the element is present, with or without value.</summary>
    public bool Contains(Tag tag) => Find(tag) >= 0;

    /// <summary>The element.</summary>
    public bool TryGet(Tag tag, out DataElement element)
    {
        int index = Find(tag);
        element = index >= 0 ? new DataElement(this, _entries[index]) : default;
        return index >= 0;
    }

    /// <summary>In order of tags.</summary>
    public IEnumerator<DataElement> GetEnumerator()
    {
        // Changes during a walk would shift the entries; the walk goes on over those it began with.
        Entry[] entries = _entries;
        int count = _count;
        for (int i = 0; i < count; i++) yield return new DataElement(this, entries[i]);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal ReadOnlySpan<Entry> Entries => _entries.AsSpan(0, _count);

    internal ReadOnlyMemory<byte> Bytes => _bytes;

    internal DataSet? Parent => _parent;

    /// <summary>Something was set or taken out, here or in an item.</summary>
    internal bool IsChanged
    {
        get
        {
            if (_changed) return true;
            if (_items is null) return false;
            foreach (DataSet[] items in _items.Values)
            {
                foreach (DataSet item in items)
                {
                    if (item.IsChanged) return true;
                }
            }
            return false;
        }
    }

    internal bool HasGroupLengths => _hasGroupLengths;

    internal static Mode ModeOf(TransferSyntax encoding) =>
        (encoding.IsExplicitVR ? Mode.Explicit : 0) | (encoding.IsBigEndian ? Mode.Big : 0);

    internal static TransferSyntax WithoutDeflate(TransferSyntax encoding) =>
        encoding.IsDeflated ? TransferSyntax.ExplicitVRLittleEndian : encoding;

    internal int Find(Tag tag)
    {
        int low = 0, high = _count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            Tag there = _entries[middle].Tag;
            if (there == tag) return middle;
            if (there < tag) low = middle + 1;
            else high = middle - 1;
        }
        return ~low;
    }

    internal ReadOnlyMemory<byte> ValueOf(in Entry entry) => entry.Is(EntryFlags.Changed)
        ? _replacements![entry.Offset].Bytes(this)
        : _bytes.Slice(entry.Offset, entry.Length);

    /// <summary>Items that were set, or asked for before; null when nobody asked yet.</summary>
    internal DataSet[]? KnownItems(in Entry entry)
    {
        if (entry.Is(EntryFlags.Changed) && _replacements![entry.Offset].Items is { } set) return set;
        return _items is not null && _items.TryGetValue(entry.Tag, out DataSet[]? known) ? known : null;
    }
}

/// <summary>Limits of reading.</summary>
public sealed record ReadOptions
{
    internal static readonly ReadOptions Default = new();

    /// <summary>Nested sequences, in levels; deeper is a DicomFormatException. Default 128, 1 to 1000.</summary>
    public int DepthMax { get; init; } = 128;

    /// <summary>Bytes that a deflated data set may inflate to; more is a DicomFormatException. Default 1 GiB, up to 2 GiB - 64 KiB.</summary>
    public int InflatedMaxBytes { get; init; } = 1 << 30;
}
