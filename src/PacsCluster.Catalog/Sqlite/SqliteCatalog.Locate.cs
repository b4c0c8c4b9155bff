using PacsCluster.Catalog.Sqlite;

namespace PacsCluster.Catalog;

public sealed partial class SqliteCatalog
{
    private const string LocationColumns = "i.instance_key, i.sop_class_uid, i.sop_instance_uid, s.study_instance_uid, r.series_instance_uid, "
        + "i.transfer_syntax_uid, c.store, c.store_key, i.blob_offset, i.length, i.data_set_offset, i.pixel_data_offset, i.number_of_frames";

    private const string LocationJoins = "CROSS JOIN series r ON r.series_key = i.series_key CROSS JOIN study s ON s.study_key = i.study_key "
        + "CROSS JOIN blob_copy c ON c.blob_key = i.blob_key";

    private static InstanceLocation ReadLocation(Statement row, int at) => new()
    {
        InstanceKey = row.Int64(at), SopClassUid = row.Text(at + 1), SopInstanceUid = row.Text(at + 2), StudyInstanceUid = row.Text(at + 3),
        SeriesInstanceUid = row.Text(at + 4), TransferSyntaxUid = row.Text(at + 5), Store = row.Text(at + 6), StoreKey = row.Text(at + 7),
        Offset = row.Int64(at + 8), Length = row.Int64(at + 9), DataSetOffset = row.Int32(at + 10), PixelDataOffset = row.Int64(at + 11),
        NumberOfFrames = row.IsNull(at + 12) ? 1 : Math.Max(1, row.Int32(at + 12)),
    };
}
