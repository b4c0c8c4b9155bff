using System.Globalization;

namespace PacsCluster.Catalog;

/// <summary>Where the two databases want the same search said differently.</summary>
internal sealed class SqlDialect
{
    /// <summary>SQLite: the order of joins and the index are ours to say, parameters by position.</summary>
    public static readonly SqlDialect Sqlite = new();

    /// <summary>PostgreSQL: it plans by the values that it is given and its own statistics; lists are arrays.</summary>
    public static readonly SqlDialect Postgres = new() { TakesArrays = true, IsPlannedByLimit = true, Join = "JOIN", IsNumbered = true, Plus = "" };

    private SqlDialect() { }

    private bool IsNumbered { get; init; }

    private string Plus { get; init; } = "+";

    /// <summary>A list of values is one parameter.</summary>
    public bool TakesArrays { get; private init; }

    /// <summary>Plans depend on how many rows are wanted, so the text says it: a prepared statement would be planned for any number.</summary>
    public bool IsPlannedByLimit { get; private init; }

    /// <summary>Joins two tables; in SQLite in the order written.</summary>
    public string Join { get; private init; } = "CROSS JOIN";

    /// <summary>The mark of a parameter.</summary>
    /// <param name="number">From 1, each once and in order.</param>
    public string Parameter(int number) => IsNumbered ? string.Create(CultureInfo.InvariantCulture, $"${number}") : "?";

    /// <summary>An expression of the column's value that SQLite does not look for in an index; the column itself where the database plans well by itself.</summary>
    public string Unindexed(string column) => Plus + column;
}
