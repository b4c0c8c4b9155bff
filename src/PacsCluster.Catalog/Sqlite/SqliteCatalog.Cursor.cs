using System.Runtime.CompilerServices;
using PacsCluster.Catalog.Sqlite;
using SQLitePCL;

namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
    /// <summary>Rows read ahead before the first is given out. Most answers are shorter: they free their connection, and the old pages that an
    /// open cursor keeps alive, before a slow peer has taken the first row.</summary>
    private const int RowsReadAhead = 256;

    /// <summary>Streams the rows of one query. The connection is this query's until the end, or until the caller stops.</summary>
    private async IAsyncEnumerable<T> StreamAsync<T>(string sql, IReadOnlyList<object> parameters, Func<Statement, T?> read, [EnumeratorCancellation] CancellationToken ct)
        where T : class
    {
        ReaderPool.Lease lease = await RentReaderAsync(ct);
        // A scan that finds nothing gives no row at which to look at the token.
        CancellationTokenRegistration interrupt = ct.Register(static db => raw.sqlite3_interrupt((sqlite3)db!), lease.Database.Handle);
        Statement? rows = null;
        bool isOpen = true;
        try
        {
            List<T> page = new(16);
            bool more = true;
            while (more)
            {
                page.Clear();
                ct.ThrowIfCancellationRequested();
                try
                {
                    rows ??= Start(lease.Database, sql, parameters);
                    while (page.Count < RowsReadAhead && (more = rows.Step()))
                    {
                        if (read(rows) is { } row) page.Add(row);
                    }
                }
                catch (SqliteFault fault)
                {
                    ct.ThrowIfCancellationRequested();
                    throw fault.ToUnavailable();
                }
                if (!more)
                {
                    Close();
                }
                foreach (T row in page) yield return row;
            }
        }
        finally
        {
            Close();
        }

        void Close()
        {
            if (!isOpen) return;
            isOpen = false;
            // First the registration, which waits for an interrupt under way: it must not hit the connection's next user.
            interrupt.Dispose();
            rows?.Dispose();
            lease.Dispose();
        }
    }

    private static Statement Start(Database database, string sql, IReadOnlyList<object> parameters)
    {
        Statement statement = database.Prepare(sql);
        foreach (object parameter in parameters) statement.Bind(parameter);
        return statement;
    }
}
