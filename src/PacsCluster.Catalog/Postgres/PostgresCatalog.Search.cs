using System.Runtime.CompilerServices;
using Npgsql;
using PacsCluster.Catalog.Postgres;

namespace PacsCluster.Catalog;

public sealed partial class PostgresCatalog
{
    /// <summary>Rows read ahead before the first is given out: most answers are shorter, and free their connection before a slow peer has taken the first.</summary>
    private const int RowsReadAhead = 256;

    /// <summary>Answers that are tried to be had as one page, and passed over before it.</summary>
    private const int PageMax = 1000;

    /// <summary>Rows looked at again for each answer wanted: most do, since SQL selects by all but the bounds of components.</summary>
    private const int CandidatesPerMatch = 4;

    /// <inheritdoc/>
    public async IAsyncEnumerable<SearchRow> SearchAsync(SearchRequest request, [EnumeratorCancellation] CancellationToken ct = default)
    {
        int passOver = request.Offset;
        int left = request.Limit ?? int.MaxValue;
        if (left <= 0) yield break;
        if (await FirstMatchesAsync(request, ct) is { } first)
        {
            foreach (SearchRow row in first.Skip(passOver).Take(left)) yield return row;
            yield break;
        }
        (string sql, List<object> values) = SearchSql.Build(request, SqlDialect.Postgres);
        await foreach (SearchRow row in StreamAsync(sql, [.. values.Select(Parameter)], new SearchReader(request).Read, ct))
        {
            if (passOver-- > 0) continue;
            yield return row;
            if (--left == 0) yield break;
        }
    }

    /// <summary>A page of a search whose rows are looked at again. No LIMIT can say how many of them will do, and without one PostgreSQL sorts every match there is before it
    /// gives the first. So a bounded number is asked for, which it takes in the order of an index; null when too few of them did, and for searches that this does not help.</summary>
    private async ValueTask<List<SearchRow>?> FirstMatchesAsync(SearchRequest request, CancellationToken ct)
    {
        if (request.Limit is not { } limit || limit > PageMax || request.Offset > PageMax || (request.Order == SearchOrder.None && request.Sort.Count == 0)) return null;
        if (!request.Conditions.Any(c => c.NeedsCheck)) return null;
        int wanted = request.Offset + limit;
        int candidates = (CandidatesPerMatch * wanted) + RowsReadAhead;
        (string sql, List<object> values) = SearchSql.Build(request, SqlDialect.Postgres, candidates: candidates);
        List<SearchRow?> rows = await ReadAsync(sql, new SearchReader(request).Read, ct, [.. values.Select(Parameter)]);
        List<SearchRow> matches = [.. rows.OfType<SearchRow>()];
        return matches.Count >= wanted || rows.Count < candidates ? matches : null;
    }

    /// <inheritdoc/>
    public async ValueTask<int> CountMatchesAsync(SearchRequest request, int upTo, CancellationToken ct = default)
    {
        SearchRequest counted = request.ToCounted(upTo);
        if (counted.Conditions.Any(c => c.NeedsCheck)) return await SearchAsync(counted, ct).CountAsync(ct);
        (string sql, List<object> values) = SearchSql.Build(counted, SqlDialect.Postgres);
        return (await ReadAsync($"SELECT count(*) FROM ({sql}) AS found", row => row.Int32(0), ct, [.. values.Select(Parameter)]))[0];
    }

    /// <summary>What PostgreSQL would do for a search; for the tests that hold the plans.</summary>
    internal ValueTask<List<string>> ExplainAsync(SearchRequest request, bool analyze, CancellationToken ct)
    {
        (string sql, List<object> values) = SearchSql.Build(request, SqlDialect.Postgres);
        return ReadAsync($"EXPLAIN ({(analyze ? "ANALYZE, BUFFERS" : "COSTS OFF")}) {sql}", row => row.Text(0), ct, [.. values.Select(Parameter)]);
    }

    private static NpgsqlParameter Parameter(object value) => value switch
    {
        string text => Text(text),
        long number => Number(number),
        long[] numbers => Numbers(numbers),
        _ => Texts((string[])value),
    };

    /// <summary>Streams the rows of one query. It is not prepared: the plan is made for the values, since a name of one letter and a whole name want different ones.
    /// The connection is this query's until the end, or until the caller stops.</summary>
    private async IAsyncEnumerable<T> StreamAsync<T>(string sql, IReadOnlyList<NpgsqlParameter> parameters, Func<IRow, T?> read, [EnumeratorCancellation] CancellationToken ct)
        where T : class
    {
        ct.ThrowIfCancellationRequested();
        // The first rows are asked for again when the primary is away; once some are given out that is over.
        Cursor<T> cursor = await _server.RetryAsync(_server.Readers, token => Cursor<T>.OpenAsync(_server.Readers, sql, parameters, read, RowsReadAhead, token), ct);
        await using (cursor)
        {
            List<T> page = cursor.Page;
            while (true)
            {
                foreach (T row in page) yield return row;
                if (cursor.IsAtEnd) yield break;
                try
                {
                    page = await cursor.NextAsync(ct);
                }
                catch (Exception e) when (Fault.IsOfDatabase(e))
                {
                    ct.ThrowIfCancellationRequested();
                    throw new Fault(e).ToCatalogException();
                }
            }
        }
    }
}
