using PacsCluster.Dicom.Network;

namespace PacsCluster.Dicom.Tests.Network;

/// <summary>The state machine against PS3.8 table 9-10, written down a second time: by event, as the standard's text lists it, and not by cell.</summary>
public sealed class UpperLayerTests
{
    private const string EstablishedStates = "5 6 7 8 9 10 11 12";

    /// <summary>Event; states; action; next state (of the requestor / of the acceptor where they differ).</summary>
    public static TheoryData<int, string, string, string> Table => new()
    {
        { 1, "1", "AE1", "4" },
        { 2, "4", "AE2", "5" },
        { 3, "2", "AA1", "13" }, { 3, "3 6 7 8 9 10 11 12", "AA8", "13" }, { 3, "5", "AE3", "6" }, { 3, "13", "AA6", "13" },
        { 4, "2", "AA1", "13" }, { 4, "3 6 7 8 9 10 11 12", "AA8", "13" }, { 4, "5", "AE4", "1" }, { 4, "13", "AA6", "13" },
        { 5, "1", "AE5", "2" },
        { 6, "2", "AE6", "3" }, { 6, "3 " + EstablishedStates, "AA8", "13" }, { 6, "13", "AA7", "13" },
        { 7, "3", "AE7", "6" },
        { 8, "3", "AE8", "13" },
        { 9, "6", "DT1", "6" }, { 9, "8", "AR7", "8" },
        { 10, "2", "AA1", "13" }, { 10, "3 5 8 9 10 11 12", "AA8", "13" }, { 10, "6", "DT2", "6" }, { 10, "7", "AR6", "7" }, { 10, "13", "AA6", "13" },
        { 11, "6", "AR1", "7" },
        { 12, "2", "AA1", "13" }, { 12, "3 5 8 9 10 11 12", "AA8", "13" }, { 12, "6", "AR2", "8" }, { 12, "7", "AR8", "9/10" }, { 12, "13", "AA6", "13" },
        { 13, "2", "AA1", "13" }, { 13, "3 5 6 8 9 12", "AA8", "13" }, { 13, "7 11", "AR3", "1" }, { 13, "10", "AR10", "12" }, { 13, "13", "AA6", "13" },
        { 14, "8 12", "AR4", "13" }, { 14, "9", "AR9", "11" },
        { 15, "3 " + EstablishedStates, "AA1", "13" }, { 15, "4", "AA2", "1" },
        { 16, "2 13", "AA2", "1" }, { 16, "3 " + EstablishedStates, "AA3", "1" },
        { 17, "2", "AA5", "1" }, { 17, "3 4 " + EstablishedStates, "AA4", "1" }, { 17, "13", "AR5", "1" },
        { 18, "2 13", "AA2", "1" },
        { 19, "2", "AA1", "13" }, { 19, "3 " + EstablishedStates, "AA8", "13" }, { 19, "13", "AA7", "13" },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void PS3_8_Table_9_10_ActionAndNextState(int upperLayerEvent, string states, string action, string next)
    {
        string[] nexts = next.Split('/');
        foreach (int state in states.Split(' ').Select(int.Parse))
        {
            UpperLayerAction found = UpperLayer.Action((UpperLayerEvent)upperLayerEvent, (UpperLayerState)state);
            Assert.Equal(action, found.ToString());
            Assert.Equal(int.Parse(nexts[0]), (int)UpperLayer.NextState(found, isRequestor: true));
            Assert.Equal(int.Parse(nexts[^1]), (int)UpperLayer.NextState(found, isRequestor: false));
        }
    }

    [Fact]
    public void PS3_8_Table_9_10_HasThese123EntriesAndNoOthers()
    {
        var listed = Table.SelectMany(row => row.Data.Item2.Split(' ').Select(state => (row.Data.Item1, int.Parse(state)))).ToHashSet();
        Assert.Equal(123, listed.Count);
        for (int e = 1; e <= 19; e++)
        {
            for (int s = 1; s <= 13; s++)
            {
                Assert.Equal(listed.Contains((e, s)), UpperLayer.Action((UpperLayerEvent)e, (UpperLayerState)s) != UpperLayerAction.None);
            }
        }
    }

    [Fact]
    public void PS3_8_Section_9_2_EverythingAPeerCanDoHasAnAnswerInEveryStateWithAConnection()
    {
        UpperLayerEvent[] fromPeer =
        [
            UpperLayerEvent.Evt3, UpperLayerEvent.Evt4, UpperLayerEvent.Evt6, UpperLayerEvent.Evt10, UpperLayerEvent.Evt12, UpperLayerEvent.Evt13,
            UpperLayerEvent.Evt16, UpperLayerEvent.Evt17, UpperLayerEvent.Evt19,
        ];
        foreach (UpperLayerState state in Enum.GetValues<UpperLayerState>().Where(s => s is not (UpperLayerState.Sta1 or UpperLayerState.Sta4)))
        {
            Assert.All(fromPeer, e => Assert.NotEqual(UpperLayerAction.None, UpperLayer.Action(e, state)));
        }
    }

    [Fact]
    public void PS3_8_Section_7_2_2_ReleaseCollisionEndsForBothSides()
    {
        UpperLayer requestor = Established(isRequestor: true), acceptor = Established(isRequestor: false);
        requestor.Fire(UpperLayerEvent.Evt11);
        acceptor.Fire(UpperLayerEvent.Evt11);
        Assert.Equal(UpperLayerAction.AR8, requestor.Fire(UpperLayerEvent.Evt12));
        Assert.Equal(UpperLayerAction.AR8, acceptor.Fire(UpperLayerEvent.Evt12));
        Assert.Equal(UpperLayerAction.AR9, requestor.Fire(UpperLayerEvent.Evt14));
        Assert.Equal(UpperLayerAction.AR10, acceptor.Fire(UpperLayerEvent.Evt13));
        Assert.Equal(UpperLayerAction.AR4, acceptor.Fire(UpperLayerEvent.Evt14));
        Assert.Equal(UpperLayerAction.AR3, requestor.Fire(UpperLayerEvent.Evt13));
        Assert.Equal(UpperLayerState.Sta1, requestor.State);
        Assert.Equal(UpperLayerAction.AR5, acceptor.Fire(UpperLayerEvent.Evt17));
        Assert.Equal(UpperLayerState.Sta1, acceptor.State);
    }

    private static UpperLayer Established(bool isRequestor)
    {
        var machine = new UpperLayer(isRequestor);
        UpperLayerEvent[] events = isRequestor
            ? [UpperLayerEvent.Evt1, UpperLayerEvent.Evt2, UpperLayerEvent.Evt3]
            : [UpperLayerEvent.Evt5, UpperLayerEvent.Evt6, UpperLayerEvent.Evt7];
        foreach (UpperLayerEvent e in events) machine.Fire(e);
        Assert.Equal(UpperLayerState.Sta6, machine.State);
        return machine;
    }
}
