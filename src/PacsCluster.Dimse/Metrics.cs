using System.Diagnostics.Metrics;

namespace PacsCluster.Dimse;

/// <summary>Instruments of the meter "PacsCluster.Dimse". The tag ae is the calling AE title of known AEs and "other" for the rest, so that
/// strangers cannot make series without end.</summary>
internal static class Metrics
{
    private static readonly Meter s_meter = new("PacsCluster.Dimse");

    public static readonly UpDownCounter<int> OpenAssociations =
        s_meter.CreateUpDownCounter<int>("pacs.dimse.associations.open", description: "Associations open, by calling AE");

    public static readonly Counter<long> Accepted = s_meter.CreateCounter<long>("pacs.dimse.associations.accepted", description: "By calling AE");

    public static readonly Counter<long> Rejected = s_meter.CreateCounter<long>("pacs.dimse.associations.rejected", description: "By reason");

    public static readonly Counter<long> Ended = s_meter.CreateCounter<long>("pacs.dimse.associations.ended", description: "Not released in good order, by how they ended");

    public static readonly Counter<long> Requests = s_meter.CreateCounter<long>("pacs.dimse.requests", description: "Requests served, by command, status and calling AE");

    public static readonly Histogram<double> StoreSeconds =
        s_meter.CreateHistogram<double>("pacs.dimse.store.duration", "s", "From the command set of a C-STORE-RQ to its response");

    public static readonly Counter<long> ReceivedBytes = s_meter.CreateCounter<long>("pacs.dimse.store.bytes", "By", "Data set bytes received by C-STORE");
}
