using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Core;

public class CorpusReadTests
{
    [Fact]
    public void PushReader_fed_whole_or_in_bytes_agrees_with_Read()
    {
        var wrong = new List<string>();
        int read = 0, failed = 0;
        foreach (string path in Corpus.Files())
        {
            string name = Path.GetRelativePath(Corpus.Root, path);
            byte[] file = File.ReadAllBytes(path);
            DataSet whole;
            FileStart start;
            try
            {
                start = Part10.ReadStart(file);
                whole = Part10.Read(file).DataSet;
            }
            catch (DicomFormatException)
            {
                failed++;
                continue;
            }
            catch (Exception e)
            {
                wrong.Add($"{name}: {e}");
                continue;
            }
            read++;
            ReadOnlyMemory<byte> data = file.AsMemory(start.DataSetOffset);
            try
            {
                using PushReader once = Push(data, start.TransferSyntax, data.Length);
                if (!IsSameAgain(whole, data, start.TransferSyntax)) wrong.Add($"{name}: round trip");
                foreach (DataElement e in whole)
                {
                    if (once.Header.TryGet(e.Tag, out DataElement other) && other.RawValue.Span.SequenceEqual(e.RawValue.Span) && other.VR == e.VR) continue;
                    BulkValue bulk = once.Bulk.FirstOrDefault(b => b.Tag == e.Tag);
                    if (bulk.Tag != e.Tag || bulk.Length != e.RawValue.Length || bulk.VR != e.VR) wrong.Add($"{name}: {e} {bulk}");
                }
                if (data.Length > 100_000) continue;
                using PushReader bytes = Push(data, start.TransferSyntax, 1);
                if (!bytes.HeaderBytes.Span.SequenceEqual(once.HeaderBytes.Span) || !bytes.Bulk.SequenceEqual(once.Bulk) || !bytes.Frames.SequenceEqual(once.Frames)
                    || bytes.PixelDataOffset != once.PixelDataOffset) wrong.Add($"{name}: by bytes");
            }
            catch (Exception e)
            {
                wrong.Add($"{name}: {e}");
            }
        }
        Assert.Empty(wrong);
        Assert.True(read > 640 && read + failed == Corpus.Files().Count, $"{read} read, {failed} refused");
    }

    /// <summary>Bytes to objects to bytes. Two exceptions: group lengths of the outermost level go, and deflating again need not give the same bytes.</summary>
    private static bool IsSameAgain(DataSet dataSet, ReadOnlyMemory<byte> data, TransferSyntax syntax)
    {
        byte[] written = dataSet.ToArray(syntax);
        if (syntax.IsDeflated) return DataSet.Read(written, syntax).ToArray().AsSpan().SequenceEqual(dataSet.ToArray());
        if (!dataSet.HasGroupLengths) return data.Span.SequenceEqual(written);
        foreach (DataElement length in dataSet.Where(e => e.Tag.IsGroupLength).ToList()) dataSet.Remove(length.Tag);
        return dataSet.ToArray().AsSpan().SequenceEqual(written) && DataSet.Read(written, syntax).Count == dataSet.Count;
    }

    [Fact]
    public void DICOMDIR_is_read_as_a_data_set()
    {
        List<string> directories = [.. Corpus.Files().Where(f => Path.GetFileName(f).StartsWith("DICOMDIR", StringComparison.Ordinal))];
        Assert.NotEmpty(directories);
        foreach (string path in directories)
        {
            (DataSet? meta, DataSet directory) = Part10.Read(File.ReadAllBytes(path));
            Assert.Equal("1.2.840.10008.1.3.10", meta?.GetString(new(0x00020002)));
            IReadOnlyList<DataSet> records = directory.GetItems(new(0x00041220));
            if (directory.TryGet(new(0x00041220), out DataElement sequence) && !sequence.IsEmpty) Assert.NotEmpty(records);
            Assert.All(records, r => Assert.NotNull(r.GetString(new(0x00041430))));
        }
    }

    private static PushReader Push(ReadOnlyMemory<byte> data, TransferSyntax syntax, int step)
    {
        var reader = new PushReader(syntax);
        for (int at = 0; at < data.Length; at += step) reader.Feed(data.Span.Slice(at, Math.Min(step, data.Length - at)));
        reader.Complete();
        return reader;
    }
}
