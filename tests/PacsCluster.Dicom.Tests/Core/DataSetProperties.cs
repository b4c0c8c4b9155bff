using FsCheck;
using FsCheck.Fluent;

namespace PacsCluster.Dicom.Tests.Core;

/// <summary>Any data set, written by a writer of the test's own: bytes to objects to bytes, through every encoding and any fragments.</summary>
public class DataSetProperties
{
    /// <summary>An element of the model; numbers are big endian in the model, so that nothing is shared with the code under test.</summary>
    private sealed record Node(uint Tag, string VR, byte[] Value, Node[][]? Items, bool Undefined)
    {
        public override string ToString() => $"({Tag:X8} {VR} {(Items is null ? Value.Length : $"[{string.Join("; ", Items.Select(i => string.Join(", ", i.AsEnumerable())))}]{(Undefined ? "u" : "")}")})";
    }

    private static readonly (string VR, int Word)[] s_kinds =
    [
        ("AE", 1), ("AS", 1), ("AT", 2), ("CS", 1), ("DA", 1), ("DS", 1), ("DT", 1), ("FD", 8), ("FL", 4), ("IS", 1), ("LO", 1), ("LT", 1), ("OB", 1), ("OD", 8),
        ("OF", 4), ("OL", 4), ("OV", 8), ("OW", 2), ("PN", 1), ("SH", 1), ("SL", 4), ("SS", 2), ("ST", 1), ("SV", 8), ("TM", 1), ("UC", 1), ("UI", 1), ("UL", 4),
        ("UN", 1), ("UR", 1), ("US", 2), ("UT", 1), ("UV", 8),
    ];

    private static Gen<Node> Leaf =>
        from kind in Gen.Elements(s_kinds)
        from high in Gen.Choose(0x0008, 0x7FDF)
        from low in Gen.Choose(1, 0xFFFF)
        from words in Gen.Choose(0, 5)
        from value in Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf(words * Math.Max(2, kind.Word))
        select new Node((uint)(high << 16 | low), kind.VR, value, null, false);

    private static Gen<Node> Sequence(int depth) =>
        from high in Gen.Choose(0x0008, 0x7FDF)
        from low in Gen.Choose(1, 0xFFFF)
        from count in Gen.Choose(0, 3)
        from items in Level(depth - 1).ArrayOf(count)
        from undefined in Gen.Elements(true, false)
        select new Node((uint)(high << 16 | low), "SQ", [], items, undefined);

    private static Gen<Node[]> Level(int depth) =>
        from count in Gen.Choose(0, 8)
        from nodes in (depth > 0 ? Gen.Frequency((5, Leaf), (1, Sequence(depth))) : Leaf).ArrayOf(count)
        select nodes.DistinctBy(n => n.Tag).OrderBy(n => n.Tag).ToArray();

    private static byte[] Write(Node[] nodes, bool explicitVR, bool big)
    {
        var b = new Bytes(explicitVR, big);
        foreach (Node node in nodes)
        {
            if (node.Items is null)
            {
                b.Element(node.Tag, node.VR, Order(node, big && node.VR != "UN"));
                continue;
            }
            byte[] content = WriteItems(node, explicitVR, big);
            b.Header(node.Tag, "SQ", node.Undefined ? 0xFFFFFFFF : (uint)content.Length).Raw(content);
            if (node.Undefined) b.SequenceEnd();
        }
        return b.ToArray();
    }

    private static byte[] WriteItems(Node node, bool explicitVR, bool big)
    {
        var b = new Bytes(explicitVR, big);
        for (int i = 0; i < node.Items!.Length; i++)
        {
            byte[] item = Write(node.Items[i], explicitVR, big);
            bool undefined = node.Undefined != (i == 1);
            b.Item(undefined ? 0xFFFFFFFF : (uint)item.Length).Raw(item);
            if (undefined) b.ItemEnd();
        }
        return b.ToArray();
    }

    private static byte[] Order(Node node, bool big)
    {
        int word = s_kinds.First(k => k.VR == node.VR).Word;
        return big || word == 1 ? node.Value : [.. node.Value.Chunk(word).SelectMany(w => w.Reverse())];
    }

    private static void ForAny(Action<Node[]> check) =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(2026, 1121), Prop.ForAll(Arb.From(Level(3)), nodes =>
        {
            check(nodes);
            return true;
        }));

    private static readonly TransferSyntax s_explicit = TransferSyntax.ExplicitVRLittleEndian;
    private static readonly TransferSyntax s_implicit = TransferSyntax.ImplicitVRLittleEndian;
    private static readonly TransferSyntax s_big = TransferSyntax.ExplicitVRBigEndian;

    [Fact]
    public void What_is_written_is_read_back_element_by_element() => ForAny(nodes =>
    {
        Same(nodes, DataSet.Read(Write(nodes, true, false), s_explicit));
        Same(nodes, DataSet.Read(Write(nodes, true, true), s_big));
    });

    private static void Same(Node[] nodes, DataSet dataSet)
    {
        Assert.Equal(nodes.Select(n => (n.Tag, n.VR)), dataSet.Select(e => (e.Tag.Value, e.VR.ToString())));
        foreach (Node node in nodes)
        {
            Assert.True(dataSet.TryGet(new(node.Tag), out DataElement element));
            if (node.Items is null)
            {
                Assert.Equal(Order(node, false), element.LittleEndianValue.ToArray());
                continue;
            }
            Assert.Equal(node.Items.Length, element.Items.Count);
            Assert.Equal(node.Undefined, element.HasUndefinedLength);
            for (int i = 0; i < node.Items.Length; i++) Same(node.Items[i], element.Items[i]);
        }
    }

    [Fact]
    public void Bytes_to_objects_to_bytes_are_equal_in_and_between_explicit_encodings() => ForAny(nodes =>
    {
        byte[] little = Write(nodes, true, false), big = Write(nodes, true, true);
        Assert.Equal(little, DataSet.Read(little, s_explicit).ToArray());
        Assert.Equal(big, DataSet.Read(little, s_explicit).ToArray(s_big));
        Assert.Equal(little, DataSet.Read(big, s_big).ToArray(s_explicit));
        TransferSyntax deflated = TransferSyntax.DeflatedExplicitVRLittleEndian;
        Assert.Equal(little, DataSet.Read(DataSet.Read(little, s_explicit).ToArray(deflated), deflated).ToArray(s_explicit));
    });

    [Fact]
    public void Explicit_to_implicit_is_what_an_implicit_writer_writes() => ForAny(nodes =>
    {
        byte[] little = Write(nodes, true, false), implicitVR = Write(nodes, false, false);
        Assert.Equal(implicitVR, DataSet.Read(little, s_explicit).ToArray(s_implicit));
        Assert.Equal(implicitVR, ConversionTests.Transcode(little, s_explicit, s_implicit, 13));
        Assert.Equal(implicitVR, DataSet.Read(implicitVR, s_implicit).ToArray());
    });

    [Fact]
    public void Fragments_of_any_length_give_one_header() => ForAny(nodes =>
    {
        foreach ((TransferSyntax syntax, byte[] bytes) in new[] { (s_explicit, Write(nodes, true, false)), (s_big, Write(nodes, true, true)), (s_implicit, Write(nodes, false, false)) })
        {
            for (int step = 1; step < 20; step += 3)
            {
                using var reader = new PushReader(syntax);
                for (int at = 0; at < bytes.Length; at += step) reader.Feed(bytes.AsSpan(at, Math.Min(step, bytes.Length - at)));
                reader.Complete();
                Assert.Equal(bytes, reader.HeaderBytes.ToArray());
            }
        }
    });

    [Fact]
    public void Taking_an_element_out_and_putting_it_back_gives_the_same_bytes() => ForAny(nodes =>
    {
        byte[] bytes = Write(nodes, true, false);
        foreach (Node node in nodes.Where(n => n.Items is null))
        {
            DataSet dataSet = DataSet.Read(bytes, s_explicit);
            Assert.True(dataSet.Remove(new(node.Tag)));
            Assert.Equal(Write([.. nodes.Where(n => n != node)], true, false), dataSet.ToArray());
            dataSet.SetRaw(new(node.Tag), Enum.Parse<VR>(node.VR), Order(node, false));
            Assert.Equal(bytes, dataSet.ToArray());
        }
    });
}
