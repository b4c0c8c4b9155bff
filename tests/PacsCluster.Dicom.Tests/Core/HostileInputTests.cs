using System.Buffers;
using System.Diagnostics;
using PacsCluster.Testing;

namespace PacsCluster.Dicom.Tests.Core;

/// <summary>Whatever the bytes are: a data set or a DicomFormatException, soon, and with memory in proportion.</summary>
public class HostileInputTests
{
    private static readonly TransferSyntax[] s_syntaxes =
    [
        TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian, TransferSyntax.ExplicitVRBigEndian,
        TransferSyntax.FromUid("1.2.840.10008.1.2.4.50"),
    ];

    [Fact]
    public void A_data_set_cut_off_at_every_byte_is_shorter_or_refused()
    {
        foreach (string name in new[]
        {
            "pydicom/src/pydicom/data/test_files/rtplan.dcm", "pydicom/src/pydicom/data/test_files/nested_priv_SQ.dcm",
            "pydicom/src/pydicom/data/test_files/UN_sequence.dcm", "pydicom/src/pydicom/data/test_files/ExplVR_BigEndNoMeta.dcm",
        })
        {
            byte[] file = File.ReadAllBytes(Corpus.File(name));
            FileStart start = Part10.ReadStart(file);
            ReadOnlyMemory<byte> bytes = file.AsMemory(start.DataSetOffset);
            int whole = DataSet.Read(bytes, start.TransferSyntax).Count;
            var ends = new HashSet<int>();
            for (int length = 0; length < bytes.Length; length++)
            {
                int? count = Attempt(() => DataSet.Read(bytes[..length], start.TransferSyntax).Count);
                int? pushed = Attempt(() => Push(bytes.Span[..length], start.TransferSyntax).Header.Count);
                Assert.Equal(count, pushed);
                if (count is null) continue;
                Assert.True(count < whole || bytes.Span[length..].IndexOfAnyExcept((byte)0) < 0, $"{name} at {length}");
                ends.Add(length);
            }
            // Between elements and in zeros a cut cannot be seen; there are far fewer such places than bytes.
            Assert.True(ends.Count < bytes.Length / 4, $"{name}: {ends.Count} of {bytes.Length}");
        }
    }

    private static int? Attempt(Func<int> read)
    {
        try
        {
            return read();
        }
        catch (DicomFormatException)
        {
            return null;
        }
    }

    private static PushReader Push(ReadOnlySpan<byte> bytes, TransferSyntax syntax)
    {
        var reader = new PushReader(syntax);
        reader.Feed(bytes);
        reader.Complete();
        return reader;
    }

    [Fact]
    public void Mutated_files_never_crash_hang_or_eat_memory()
    {
        List<byte[]> seeds = Seeds();
        var random = new Random(20261121);
        var clock = Stopwatch.StartNew();
        TimeSpan slowest = TimeSpan.Zero;
        double greediest = 0;
        int read = 0;
        const int Mutations = 20_000;
        for (int i = 0; i < Mutations; i++)
        {
            byte[] mutant = Mutate(seeds[random.Next(seeds.Count)], seeds, random);
            TransferSyntax syntax = s_syntaxes[random.Next(s_syntaxes.Length)];
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            TimeSpan from = clock.Elapsed;
            try
            {
                read += Exercise(mutant, syntax, random.Next(1, 5000));
            }
            catch (Exception e)
            {
                Assert.Fail($"mutation {i}: {e}");
            }
            TimeSpan took = clock.Elapsed - from;
            if (took > slowest) slowest = took;
            // 100 KB of buffers, then a constant times the input: every level of sequences may index its bytes once.
            greediest = Math.Max(greediest, (GC.GetAllocatedBytesForCurrentThread() - allocated - 100_000) / (double)Math.Max(1, mutant.Length));
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{read} reads of {3 * Mutations} succeeded; slowest {slowest.TotalMilliseconds:F1} ms, greediest {greediest:F1} bytes a byte; {clock.Elapsed.TotalSeconds:F1} s");
        Assert.True(read > Mutations / 10, $"{read} of {Mutations}: the mutations are too wild to find anything");
        Assert.True(slowest < TimeSpan.FromSeconds(2), $"{slowest}");
        Assert.True(greediest < 200, $"{greediest} bytes allocated for a byte of input");
    }

    private static List<byte[]> Seeds()
    {
        // Small files are mutated more often to effect; of the malformed ones, a part of each kind.
        List<byte[]> seeds = [.. Corpus.Files("malformed").Where((_, i) => i % 2 == 0).Select(File.ReadAllBytes).Where(f => f.Length < 20_000)];
        seeds.AddRange(Corpus.Files("pydicom").Select(File.ReadAllBytes).Where(f => f.Length is > 0 and < 10_000));
        seeds.Add(DataSetReadTests.Nested(50, true));
        seeds.Add(DataSetReadTests.Nested(50, false));
        return seeds;
    }

    private static readonly byte[][] s_spice =
    [
        [0xFE, 0xFF, 0x00, 0xE0], [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0], [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF],
        [0xFF, 0xFF, 0xFF, 0x7F], [0, 0, 0, 0], [0xE0, 0x7F, 0x10, 0x00], "SQ\0\0"u8.ToArray(), "UN\0\0"u8.ToArray(), "OB\0\0"u8.ToArray(), [0, 0, 0, 0x80],
    ];

    private static byte[] Mutate(byte[] seed, List<byte[]> seeds, Random random)
    {
        byte[] mutant = (byte[])seed.Clone();
        for (int n = random.Next(1, 6); n > 0 && mutant.Length > 16; n--)
        {
            // The data set is where the seeds differ; the first half of the file is mostly that.
            int at = random.Next(2) == 0 ? random.Next(mutant.Length) : random.Next(Math.Min(mutant.Length, 800));
            byte[] spice = s_spice[random.Next(s_spice.Length)];
            switch (random.Next(7))
            {
                case 0: mutant[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: mutant[at] = (byte)random.Next(256); break;
                case 2: spice.AsSpan(0, Math.Min(spice.Length, mutant.Length - at)).CopyTo(mutant.AsSpan(at)); break;
                case 3: mutant = [.. mutant.AsSpan(0, at), .. spice, .. mutant.AsSpan(at)]; break;
                case 4: mutant = mutant[..at]; break;
                case 5: mutant = [.. mutant.AsSpan(0, at), .. mutant.AsSpan(Math.Min(mutant.Length, at + random.Next(1, 64)))]; break;
                default:
                    byte[] other = seeds[random.Next(seeds.Count)];
                    int from = random.Next(other.Length + 1);
                    mutant = [.. mutant.AsSpan(0, at), .. other.AsSpan(from, Math.Min(other.Length - from, 500)), .. mutant.AsSpan(at)];
                    break;
            }
        }
        return mutant;
    }

    /// <summary>Reads with everything there is; counts what succeeded.</summary>
    private static int Exercise(byte[] bytes, TransferSyntax syntax, int step)
    {
        int successes = 0;
        successes += Succeeds(() => Walk(Part10.Read(bytes).DataSet, 0));
        FileStart? start = null;
        successes += Succeeds(() => start = Part10.ReadStart(bytes));
        TransferSyntax real = start?.TransferSyntax ?? syntax;
        ReadOnlyMemory<byte> data = bytes.AsMemory(start?.DataSetOffset ?? 0);
        successes += Succeeds(() =>
        {
            using var reader = new PushReader(real);
            for (int at = 0; at < data.Length; at += step) reader.Feed(data.Span.Slice(at, Math.Min(step, data.Length - at)));
            reader.Complete();
            foreach (FrameLocation frame in reader.Frames.Take(10)) Assert.True(frame.Offset >= 0 && frame.Offset + frame.Length <= reader.Offset);
            foreach (BulkValue bulk in reader.Bulk) Assert.True(bulk.Offset + bulk.Length <= reader.Offset);
            Walk(reader.Header, 0);
        });
        successes += Succeeds(() =>
        {
            TransferSyntax target = real.IsBigEndian ? TransferSyntax.ImplicitVRLittleEndian : TransferSyntax.ExplicitVRBigEndian;
            if (real.IsEncapsulated) return;
            var output = new ArrayBufferWriter<byte>();
            using var transcoder = new DataSetTranscoder(real, target);
            transcoder.Feed(data.Span, output);
            transcoder.Complete(output);
            DataSet.Read(data, real).ToArray(target);
        });
        return successes;
    }

    private static int Succeeds(Action read)
    {
        try
        {
            read();
            return 1;
        }
        catch (DicomFormatException)
        {
            return 0;
        }
    }

    private static void Walk(DataSet dataSet, int depth)
    {
        foreach (DataElement element in dataSet)
        {
            _ = element.VR;
            _ = element.LittleEndianValue.Length;
            dataSet.GetString(element.Tag);
            dataSet.GetInt64(element.Tag);
            dataSet.GetDouble(element.Tag);
            if (depth < 8) foreach (DataSet item in element.Items) Walk(item, depth + 1);
        }
    }

    [Fact]
    public void A_million_empty_fragments_or_items_cost_a_constant_times_their_bytes()
    {
        var b = new Bytes().Header(0x7FE00010, "OB", 0xFFFFFFFF);
        byte[] item = new Bytes().Item(0).ToArray();
        byte[] many = new byte[8_000_000];
        for (int i = 0; i < many.Length; i += 8) item.CopyTo(many, i);
        byte[] pixels = b.Raw(many).SequenceEnd().ToArray();
        long before = GC.GetAllocatedBytesForCurrentThread();
        using PushReader reader = Push(pixels, s_syntaxes[3]);
        Assert.Single(reader.Frames);
        byte[] sequence = new Bytes().Header(0x00081140, "SQ", 8_000_000).Raw(many).ToArray();
        Assert.Equal(1_000_000, DataSet.Read(sequence, s_syntaxes[0]).GetItems(new(0x00081140)).Count);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 25L * 16_000_000);
    }
}
