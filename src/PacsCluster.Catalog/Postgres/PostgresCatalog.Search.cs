using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Npgsql;
using PacsCluster.Catalog.Postgres;
using static PacsCluster.Catalog.Postgres.Parameters;

namespace PacsCluster.Catalog;

public sealed partial class PostgresCatalog
{
    /// <summary>Rows read ahead before the first is given out: most answers are shorter, and free their connection before a slow peer has taken the first.</summary>
    private const int RowsReadAhead = 256;

    /// <summary>Answers that are tried to be had as one page, and passed over before it.</summary>
    private const int PageMax = 1000;

    /// <summary>How many rows more than answers are asked for at first, of a search whose rows are looked at again: most rows do, since SQL selects by all but the bounds of components.</summary>
    private const int CandidatesAtFirst = 16;

    /// <summary>Rows for each answer wanted, when those were too few.</summary>
    private const int CandidatesPerMatch = 4;

    /// <summary>Up to so many series of the modalities asked for, the search may go by them; beyond, by the studies.</summary>
    private const int RareSeries = 2000;

    private const int ModalitiesMax = 1000;

    /// <summary>Texts of searches that are prepared on each connection.</summary>
    private const int PreparedMax = 64;

    private static readonly TimeSpan s_modalityCountIsGood = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, (int Count, long CountedAt)> _seriesOfModality = [];
    private readonly ConcurrentDictionary<string, bool> _prepared = [];

    /// <inheritdoc/>
    public async IAsyncEnumerable<SearchRow> SearchAsync(SearchRequest request, [EnumeratorCancellation] CancellationToken ct = default)
    {
        int passOver = request.Offset;
        int left = request.Limit ?? int.MaxValue;
        if (left <= 0) yield break;
        bool isModalityRare = await IsModalityRareAsync(request, ct);
        if (await FirstMatchesAsync(request, isModalityRare, ct) is { } first)
        {
            foreach (SearchRow row in first.Skip(passOver).Take(left)) yield return row;
            yield break;
        }
        (string sql, List<object> values) = SearchSql.Build(request, SqlDialect.Postgres, isModalityRare);
        await foreach (SearchRow row in StreamAsync(sql, [.. values.Select(Parameter)], IsPrepared(request, sql), new SearchReader(request).Read, ct))
        {
            if (passOver-- > 0) continue;
            yield return row;
            if (--left == 0) yield break;
        }
    }

    /// <summary>A page of a search whose rows are looked at again. No LIMIT can say how many of them will do, and without one PostgreSQL sorts every match there is before it
    /// gives the first. So a bounded number is asked for, which it takes in the order of an index, then a larger one; null when too few of them did, and for searches that have no such rows.</summary>
    private async ValueTask<List<SearchRow>?> FirstMatchesAsync(SearchRequest request, bool isModalityRare, CancellationToken ct)
    {
        if (request.Limit is not { } limit || limit > PageMax || request.Offset > PageMax) return null;
        if (!request.Conditions.Any(c => c.NeedsCheck)) return null;
        int wanted = request.Offset + limit;
        foreach (int candidates in (int[])[wanted + CandidatesAtFirst, (CandidatesPerMatch * wanted) + RowsReadAhead])
        {
            (string sql, List<object> values) = SearchSql.Build(request, SqlDialect.Postgres, isModalityRare, candidates);
            List<SearchRow?> rows = await ReadAsync(sql, new SearchReader(request).Read, ct, [.. values.Select(Parameter)]);
            List<SearchRow> matches = [.. rows.OfType<SearchRow>()];
            if (matches.Count >= wanted || rows.Count < candidates) return matches;
        }
        return null;
    }

    /// <inheritdoc/>
    public async ValueTask<int> CountMatchesAsync(SearchRequest request, int upTo, CancellationToken ct = default)
    {
        SearchRequest counted = request.ToCounted(upTo);
        if (counted.Conditions.Any(c => c.NeedsCheck)) return await SearchAsync(counted, ct).CountAsync(ct);
        (string sql, List<object> values) = SearchSql.Build(counted, SqlDialect.Postgres, await IsModalityRareAsync(counted, ct));
        bool isPrepared = IsPrepared(counted, sql);
        return await _server.RunAsync(
            _server.Readers,
            async (connection, token) =>
            {
                await using var command = new NpgsqlCommand($"SELECT count(*) FROM ({sql}) AS found", connection);
                foreach (object value in values) command.Parameters.Add(Parameter(value));
                if (isPrepared) await command.PrepareAsync(token);
                return checked((int)(long)(await command.ExecuteScalarAsync(token))!);
            },
            ct);
    }

    /// <summary>What PostgreSQL would do for a search; for the tests that hold the plans.</summary>
    internal async ValueTask<List<string>> ExplainAsync(SearchRequest request, bool analyze, CancellationToken ct)
    {
        (string sql, List<object> values) = SearchSql.Build(request, SqlDialect.Postgres, await IsModalityRareAsync(request, ct));
        return await ReadAsync($"EXPLAIN ({(analyze ? "ANALYZE, BUFFERS" : "COSTS OFF")}) {sql}", row => row.Text(0), ct, [.. values.Select(Parameter)]);
    }

    /// <summary>Whether so few series have the modalities asked for that their index finds the studies; else the studies are looked at one after the other.</summary>
    private async ValueTask<bool> IsModalityRareAsync(SearchRequest request, CancellationToken ct)
    {
        if (request.Conditions.FirstOrDefault(c => c.Key.Special == SpecialKey.ModalitiesInStudy && c.Kind == MatchKind.Any) is not { } modality) return false;
        int found = 0;
        foreach (string value in modality.Values)
        {
            long now = _time.GetTimestamp();
            if (!_seriesOfModality.TryGetValue(value, out (int Count, long CountedAt) known) || _time.GetElapsedTime(known.CountedAt, now) > s_modalityCountIsGood)
            {
                int count = (await ReadAsync($"SELECT count(*) FROM (SELECT 1 FROM series WHERE modality = $1 LIMIT {RareSeries}) AS found", row => row.Int32(0), ct, [Text(value)]))[0];
                // Values come from outside.
                if (_seriesOfModality.Count >= ModalitiesMax) _seriesOfModality.Clear();
                _seriesOfModality[value] = known = (count, now);
            }
            found += known.Count;
            if (found >= RareSeries) return false;
        }
        return true;
    }

    private static NpgsqlParameter Parameter(object value) => value switch
    {
        string text => Text(text),
        long number => Number(number),
        long[] numbers => Numbers(numbers),
        _ => Texts((string[])value),
    };

    /// <summary>Searches by an identifier and first pages by date are prepared: planning takes longer than they do. All others are planned for their values, since a name of one letter and a whole name want
    /// different plans. Only the first texts are, since return keys and with them texts are the peers' to choose, and each connection keeps what it prepared.</summary>
    private bool IsPrepared(SearchRequest request, string sql)
    {
        if (!SearchSql.IsPlanForAllValues(request)) return false;
        return _prepared.ContainsKey(sql) || (_prepared.Count < PreparedMax && _prepared.TryAdd(sql, true));
    }

    /// <summary>Streams the rows of one query. The connection is this query's until the end, or until the caller stops.</summary>
    private async IAsyncEnumerable<T> StreamAsync<T>(string sql, IReadOnlyList<NpgsqlParameter> parameters, bool isPrepared, Func<IRow, T?> read, [EnumeratorCancellation] CancellationToken ct)
        where T : class
    {
        ct.ThrowIfCancellationRequested();
        // The first rows are asked for again when the primary is away; once some are given out that is over.
        Cursor<T> cursor = await _server.RetryAsync(_server.Readers, token => Cursor<T>.OpenAsync(_server.Readers, sql, parameters, isPrepared, read, RowsReadAhead, token), ct);
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
