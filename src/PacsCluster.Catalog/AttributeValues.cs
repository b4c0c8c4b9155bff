using PacsCluster.Dicom;

namespace PacsCluster.Catalog;

/// <summary>A level of the Query/Retrieve Information Model (PS3.4 section C.6), from the top.</summary>
public enum QueryLevel
{
    /// <summary>Patient.</summary>
    Patient,
    /// <summary>Study.</summary>
    Study,
    /// <summary>Series.</summary>
    Series,
    /// <summary>Composite object instance ("IMAGE").</summary>
    Image,
}

/// <summary>The attributes of one level that have a column in the catalog, as text. Immutable. Values of a multi-valued attribute are joined by
/// a backslash; an attribute inside a sequence (Request Attributes Sequence) holds the values of all items, one an item.</summary>
public sealed class AttributeValues : IEquatable<AttributeValues>
{
    private readonly string?[] _values;

    internal AttributeValues(QueryLevel level, string?[] values)
    {
        Level = level;
        _values = values;
    }

    /// <summary>The level whose columns these are.</summary>
    public QueryLevel Level { get; }

    /// <summary>These very values lie in the database already, so that a row whose counts alone changed is written without them: rewriting a
    /// column, even with the same value, rewrites the indexes on it.</summary>
    internal bool IsStored { get; set; }

    /// <summary>By position in <see cref="Columns.Of(QueryLevel)"/>.</summary>
    internal ReadOnlySpan<string?> Values => _values;

    /// <summary>All null.</summary>
    public static AttributeValues Empty(QueryLevel level) => new(level, new string?[Columns.Of(level).Count]);

    /// <summary>Takes the level's attributes out of a header. Never throws on bad values: what cannot be kept in its column is null.</summary>
    public static AttributeValues Read(DataSet header, QueryLevel level)
    {
        IReadOnlyList<Column> columns = Columns.Of(level);
        var values = new string?[columns.Count];
        for (int i = 0; i < values.Length; i++) values[i] = columns[i].Read(header);
        return new AttributeValues(level, values);
    }

    /// <summary>The text of an attribute at the top level of the data set; null when it is empty or has no column at this level.</summary>
    public string? this[Tag tag] => Columns.Find(Level, tag) is { } column ? _values[column.Ordinal] : null;

    /// <summary>A copy with one value changed; itself when that changes nothing or the attribute has no column here.</summary>
    public AttributeValues With(Tag tag, string? value)
    {
        if (Columns.Find(Level, tag) is not { } column) return this;
        value = column.Normalize(value);
        if (value == _values[column.Ordinal]) return this;
        string?[] copy = [.. _values];
        copy[column.Ordinal] = value;
        return new AttributeValues(Level, copy);
    }

    /// <summary>A copy where each attribute that is empty here takes the value of <paramref name="other"/>, of the same level; itself when that changes nothing.</summary>
    public AttributeValues FillFrom(AttributeValues other)
    {
        string?[]? copy = null;
        for (int i = 0; i < _values.Length; i++)
        {
            if (_values[i] is null && other._values[i] is { } value) (copy ??= [.. _values])[i] = value;
        }
        return copy is null ? this : new AttributeValues(Level, copy);
    }

    /// <summary>Same level and same texts.</summary>
    public bool Equals(AttributeValues? other) => other is not null && Level == other.Level && _values.AsSpan().SequenceEqual(other._values);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as AttributeValues);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (string? value in _values) hash.Add(value);
        return hash.ToHashCode();
    }
}
