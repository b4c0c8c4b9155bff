namespace PacsCluster.Catalog.Postgres;

/// <summary>A statement on rows. <see cref="Few"/> is for those of a single store: unnest lays down each array by itself before it gives the first row, which for one row of 50
/// columns took longer than the row. Finding an element of an array of texts is linear in those before it, so it is not for many.</summary>
internal sealed record RowsSql(string Few, string Many)
{
    /// <summary>Up to so many rows are few.</summary>
    public const int FewRows = 8;

    public string For(int rows) => rows <= FewRows ? Few : Many;

    /// <summary>Both, made from one text.</summary>
    /// <param name="columns">Of the rows.</param>
    /// <param name="sql">Gets the source of rows, to stand behind FROM; they are <c>w</c>.</param>
    /// <param name="first">Number of the first column's parameter.</param>
    public static RowsSql Of(IReadOnlyList<string> columns, Func<string, string> sql, int first = 1) => new(
        sql($"(SELECT {string.Join(", ", columns.Select((c, i) => $"(${first + i})[n] AS {c}"))} FROM generate_series(1, cardinality(${first})) AS n) AS w"),
        sql($"unnest({string.Join(", ", columns.Select((_, i) => $"${first + i}"))}) AS w({string.Join(", ", columns)})"));

    /// <summary>The same with something around both.</summary>
    public RowsSql With(Func<string, string> more) => new(more(Few), more(Many));
}
