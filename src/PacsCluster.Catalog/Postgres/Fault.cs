using System.Net.Sockets;
using Npgsql;

namespace PacsCluster.Catalog.Postgres;

/// <summary>What the database or the way to it said, and what that means for the caller. Never leaves this room.</summary>
internal sealed class Fault(Exception exception)
{
    /// <summary>Raised by catalog_expect: a row is not as it was read.</summary>
    public const string ConflictState = "PCV01";

    /// <summary>idle_in_transaction_session_timeout: the server has ended the session.</summary>
    private const string IdleInTransactionState = "25P03";

    private readonly PostgresException? _said = exception as PostgresException ?? exception.InnerException as PostgresException;

    public static bool IsOfDatabase(Exception e) => e is NpgsqlException or SocketException or IOException or TimeoutException;

    /// <summary>SQLSTATE; empty when the connection failed.</summary>
    public string State => _said?.SqlState ?? "";

    /// <summary>Trying again may help: somebody else was in the way, or the primary is away.</summary>
    public bool Passes => IsConnectionLost || State is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.LockNotAvailable
        or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.TooManyConnections or PostgresErrorCodes.OutOfMemory;

    /// <summary>The connection is gone or leads to no primary. What was under way may have happened or not.</summary>
    public bool IsConnectionLost => _said is null
        || State is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.ReadOnlySqlTransaction
            or IdleInTransactionState
        || State.StartsWith("08", StringComparison.Ordinal);

    /// <summary>A unique index has the key already: its name; null for other faults.</summary>
    public string? UniqueIndex => State == PostgresErrorCodes.UniqueViolation ? _said!.ConstraintName ?? "" : null;

    /// <summary>The row that was changed by another writer; null for other faults.</summary>
    public VersionConflictException? Conflict => State == ConflictState ? new VersionConflictException(_said!.MessageText, long.TryParse(_said.Detail, out long key) ? key : 0, exception) : null;

    /// <summary>A value or a rule of the schema: the row's fault (data exceptions, integrity constraints, program limits).</summary>
    public bool IsOfRow => State.Length == 5 && State[..2] is "22" or "23" or "54";

    public Exception ToCatalogException()
    {
        if (Conflict is { } conflict) return conflict;
        if (UniqueIndex is not null) return new VersionConflictException("new", 0, exception);
        if (IsOfRow) return new InvalidDataException($"a row breaks a rule of the schema ({State})", exception);
        bool isFull = State == PostgresErrorCodes.DiskFull;
        // Neither detail nor statement: they may hold patient data.
        return new CatalogUnavailableException(isFull ? "the catalog's disk is full" : $"the catalog cannot be used now ({_said?.MessageText ?? exception.Message})", isFull, exception);
    }
}
