using System.Runtime.CompilerServices;
using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
    /// <summary>Up to so many series of the modalities asked for, the search goes by them; beyond, by the studies.</summary>
    private const int RareSeries = 2000;

    /// <inheritdoc/>
    public async IAsyncEnumerable<SearchRow> SearchAsync(SearchRequest request, [EnumeratorCancellation] CancellationToken ct = default)
    {
        (string sql, List<object> parameters) = SearchSql.Build(request, SqlDialect.Sqlite, await IsModalityRareAsync(request, ct));
        int passOver = request.Offset;
        int left = request.Limit ?? int.MaxValue;
        if (left <= 0) yield break;
        await foreach (SearchRow row in StreamAsync(sql, parameters, new SearchReader(request).Read, ct))
        {
            if (passOver-- > 0) continue;
            yield return row;
            if (--left == 0) yield break;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<int> CountMatchesAsync(SearchRequest request, int upTo, CancellationToken ct = default)
    {
        SearchRequest counted = request.ToCounted(upTo);
        if (counted.Conditions.Any(c => c.NeedsCheck))
        {
            int found = 0;
            await foreach (SearchRow _ in SearchAsync(counted, ct)) found++;
            return found;
        }
        (string sql, List<object> parameters) = SearchSql.Build(counted, SqlDialect.Sqlite, await IsModalityRareAsync(counted, ct));
        return await ReadAsync(
            database =>
            {
                using Statement count = Start(database, $"SELECT count(*) FROM ({sql})", parameters);
                count.Step();
                return count.Int32(0);
            },
            ct);
    }

    private async ValueTask<bool> IsModalityRareAsync(SearchRequest request, CancellationToken ct)
    {
        Condition? modality = request.Conditions.FirstOrDefault(c => c.Key.Special == SpecialKey.ModalitiesInStudy && c.Kind == MatchKind.Any);
        if (modality is null || SearchSql.ChooseDriver(request) is not null) return false;
        return await ReadAsync(
            database =>
            {
                long found = 0;
                foreach (string value in modality.Values)
                {
                    using Statement count = database.Prepare("SELECT count(*) FROM (SELECT 1 FROM series WHERE modality = ? LIMIT ?)").Bind(value).Bind(RareSeries);
                    count.Step();
                    found += count.Int64(0);
                    if (found >= RareSeries) return false;
                }
                return true;
            },
            ct);
    }

    /// <summary>What SQLite would do for a search; for the tests that hold the plans.</summary>
    internal ValueTask<IReadOnlyList<string>> ExplainAsync(SearchRequest request, CancellationToken ct) => ReadAsync<IReadOnlyList<string>>(
        database =>
        {
            (string sql, List<object> parameters) = SearchSql.Build(request, SqlDialect.Sqlite);
            Statement plan = Start(database, "EXPLAIN QUERY PLAN " + sql, parameters);
            return ReadRows(plan, row => row.Text(3));
        },
        ct);
}
