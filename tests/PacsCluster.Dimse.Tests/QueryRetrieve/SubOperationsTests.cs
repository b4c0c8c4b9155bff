using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

public sealed class SubOperationsTests
{
    private static readonly CommandSet s_request = new() { Field = CommandField.CMoveRequest, MessageId = 7, AffectedSopClassUid = "1.2.3" };
    private static readonly QueryRetrieveOptions s_options = new() { PendingEveryInstances = 10, PendingInterval = TimeSpan.FromSeconds(1) };

    [Fact]
    public void C_53_Nothing_to_send_is_a_success_with_zero_counters_and_without_remaining()
    {
        CommandSet final = Make(0).Final();
        Assert.Equal(DimseStatus.Success, final.Status);
        Assert.Equal((null, (ushort?)0, (ushort?)0, (ushort?)0), (final.Remaining, final.Completed, final.Failed, final.Warning));
        Assert.False(final.HasDataSet);
        Assert.Equal((ushort?)7, final.MessageIdBeingRespondedTo);
    }

    [Theory]
    [InlineData("0000 0000", 0x0000, 2, 0, 0)]
    [InlineData("0000 B000", 0xB000, 1, 0, 1)]
    [InlineData("B000 B007", 0xB000, 0, 0, 2)]
    [InlineData("0000 A700", 0xB000, 1, 1, 0)]
    [InlineData("B000 C000", 0xB000, 0, 1, 1)]
    [InlineData("0122 A900", 0xA702, 0, 2, 0)]
    public void C_53_The_last_status_follows_from_the_counters(string statuses, int final, int completed, int failed, int warning)
    {
        string[] each = statuses.Split(' ');
        SubOperations operations = Make(each.Length);
        for (int i = 0; i < each.Length; i++) operations.Count($"1.{i}", Convert.ToUInt16(each[i], 16));
        CommandSet response = operations.Final();
        Assert.Equal((ushort)final, response.Status);
        Assert.Equal(((ushort?)completed, (ushort?)failed, (ushort?)warning), (response.Completed, response.Failed, response.Warning));
        Assert.Equal(failed > 0, response.HasDataSet);
        Assert.Equal(failed, operations.FailedUids.Count);
    }

    [Fact]
    public void C_53_Pending_comes_every_so_many_instances_and_after_the_interval_but_not_when_all_is_done()
    {
        SubOperations operations = Make(25);
        var reported = new List<int>();
        for (int i = 1; i <= 25; i++)
        {
            operations.Count($"1.{i}", 0);
            if (operations.Pending(TimeSpan.FromSeconds(2)) is not { } pending) continue;
            Assert.Equal(DimseStatus.Pending, pending.Status);
            Assert.Equal(25, pending.Remaining + pending.Completed);
            reported.Add(i);
        }
        Assert.Equal([1, 11, 21], reported); // 1: the interval had passed; then by count; 25 is the last response's
    }

    [Fact]
    public void C_52_A_cancelled_operation_says_what_remains_and_lists_what_failed()
    {
        SubOperations operations = Make(5);
        operations.Count("1.1", 0);
        operations.Fail("1.2");
        CommandSet response = operations.Cancelled();
        Assert.Equal(DimseStatus.Cancel, response.Status);
        Assert.Equal(((ushort?)3, (ushort?)1, (ushort?)1, (ushort?)0), (response.Remaining, response.Completed, response.Failed, response.Warning));
        Assert.True(response.HasDataSet);
    }

    [Fact]
    public void C_53_The_failed_list_is_an_identifier_and_never_longer_than_its_element_can_be()
    {
        SubOperations operations = Make(5000);
        for (int i = 0; i < 5000; i++) operations.Fail($"1.2.826.0.1.3680043.8.498.{i:D10}");
        byte[] bytes = operations.EncodeFailed(TransferSyntax.ExplicitVRLittleEndian);
        string[] uids = DataSet.Read(bytes, TransferSyntax.ExplicitVRLittleEndian).GetStrings(SubOperations.FailedSopInstanceUidList);
        Assert.InRange(uids.Length, 1700, 4999);
        Assert.Equal("1.2.826.0.1.3680043.8.498.0000000000", uids[0]);
        Assert.Equal((ushort?)5000, operations.Final().Failed);
    }

    [Fact]
    public void Counters_of_16_bits_do_not_wrap()
    {
        SubOperations operations = Make(70_000);
        operations.Count("1", 0);
        Assert.Equal(ushort.MaxValue, operations.Pending(TimeSpan.FromSeconds(9))!.Remaining);
    }

    private static SubOperations Make(int total) => new(s_request, total, s_options, TimeSpan.Zero);
}
