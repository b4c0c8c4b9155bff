using System.Collections.Frozen;

namespace PacsCluster.Dicom;

/// <summary>What a UID of PS3.6 annex A names.</summary>
public enum UidKind
{
#pragma warning disable CS1591 // each name says it
    Unknown, TransferSyntax, StorageSopClass, SopClass, MetaSopClass, WellKnownSopInstance, ApplicationContext, CodingScheme, Other,
#pragma warning restore CS1591
}

/// <summary>The UIDs of PS3.6 annex A. Thread-safe.</summary>
public static class UidDictionary
{
    private static readonly UidTable.Row[] s_rows = UidTable.Rows();

    private static readonly FrozenDictionary<string, UidTable.Row> s_byUid = s_rows.ToFrozenDictionary(row => row.Uid, StringComparer.Ordinal);

    /// <summary>Name and kind; false when unknown.</summary>
    public static bool TryGet(string uid, out string name, out UidKind kind)
    {
        bool known = s_byUid.TryGetValue(uid, out UidTable.Row row);
        name = known ? row.Name : "";
        kind = row.Kind;
        return known;
    }

    /// <summary>Every storage SOP class, retired ones too, in ordinal order. Those of the non-patient model (hanging protocols, color palettes, implant
    /// templates, inventories) are among them.</summary>
    public static IReadOnlyList<string> StorageSopClasses { get; } = [.. s_rows.Where(row => row.Kind == UidKind.StorageSopClass).Select(row => row.Uid)];

    /// <summary>Every transfer syntax, retired ones too, in ordinal order.</summary>
    public static IReadOnlyList<string> TransferSyntaxes { get; } = [.. s_rows.Where(row => row.Kind == UidKind.TransferSyntax).Select(row => row.Uid)];

    /// <summary>All rows, for tests.</summary>
    internal static IReadOnlyList<UidTable.Row> All => s_rows;
}
