using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

public sealed class PlannedAssociationTests
{
    private const string Video = "1.2.840.10008.1.2.4.102";
    private const string Jpeg2000 = "1.2.840.10008.1.2.4.90";

    private static readonly string s_explicit = TransferSyntax.ExplicitVRLittleEndian.Uid;
    private static readonly string s_implicit = TransferSyntax.ImplicitVRLittleEndian.Uid;
    private static readonly string s_deflated = TransferSyntax.DeflatedExplicitVRLittleEndian.Uid;

    [Fact]
    public void C_39_A_stored_uncompressed_syntax_stands_alone_with_the_ones_we_convert_to_beside_it()
    {
        PlannedAssociation plan = Assert.Single(PlannedAssociation.Plan([At("1.2", s_deflated)]));
        Assert.Equal([s_deflated, $"{s_explicit} {s_implicit}"], plan.Contexts.Select(context => string.Join(' ', context.TransferSyntaxes)));
        Assert.Equal([1, 3], plan.Contexts.Select(context => (int)context.Id));
    }

    [Fact]
    public void C_39_A_compressed_syntax_has_what_we_decompress_it_to_beside_it()
    {
        PlannedAssociation plan = Assert.Single(PlannedAssociation.Plan([At("1.2", Jpeg2000), At("1.2", Jpeg2000)]));
        Assert.Equal([Jpeg2000, $"{s_explicit} {s_implicit}"], plan.Contexts.Select(context => string.Join(' ', context.TransferSyntaxes)));
        Assert.Equal(2, plan.Instances.Count);
    }

    [Fact]
    public void C_39_Video_is_offered_alone_because_it_is_passed_through()
    {
        PlannedAssociation plan = Assert.Single(PlannedAssociation.Plan([At("1.2", Video)]));
        Assert.Equal([Video], Assert.Single(plan.Contexts).TransferSyntaxes);
    }

    [Fact]
    public void C_39_Compressed_and_uncompressed_of_one_class_get_a_context_each()
    {
        PlannedAssociation plan = Assert.Single(PlannedAssociation.Plan([At("1.2", s_explicit), At("1.2", Jpeg2000), At("1.3", s_implicit)]));
        Assert.Equal([$"1.2 {s_explicit}", $"1.2 {Jpeg2000}", $"1.2 {s_implicit}", $"1.3 {s_implicit}", $"1.3 {s_explicit}"],
            plan.Contexts.Select(context => $"{context.AbstractSyntax} {context.TransferSyntaxes.Single()}"));
    }

    [Fact]
    public void C_39_More_than_128_contexts_take_several_associations_and_no_instance_twice()
    {
        InstanceLocation[] instances = [.. Enumerable.Range(0, 300).Select(i => At($"1.2.{i % 150}", s_explicit, $"9.{i}"))];
        IReadOnlyList<PlannedAssociation> plan = PlannedAssociation.Plan(instances);
        Assert.Equal(3, plan.Count); // 150 classes of 2 contexts, 64 on an association
        Assert.All(plan, one => Assert.InRange(one.Contexts.Count, 1, 128));
        Assert.All(plan, one => Assert.All(one.Contexts, context => Assert.Equal(1, context.Id & 1)));
        Assert.All(plan, one => Assert.All(one.Instances, i => Assert.Contains(one.Contexts, context => context.AbstractSyntax == i.SopClassUid)));
        Assert.Equal(instances.Select(i => i.SopInstanceUid).Order(), plan.SelectMany(one => one.Instances).Select(i => i.SopInstanceUid).Order());
        Assert.Equal(255, plan[0].Contexts[^1].Id);
    }

    private static InstanceLocation At(string sopClass, string transferSyntax, string uid = "9.1") => new()
    {
        InstanceKey = 1, SopClassUid = sopClass, SopInstanceUid = uid, StudyInstanceUid = "3", SeriesInstanceUid = "4",
        TransferSyntaxUid = transferSyntax, Store = "files", StoreKey = "k", Offset = 0, Length = 1, DataSetOffset = 0, PixelDataOffset = -1, NumberOfFrames = 1,
    };
}
