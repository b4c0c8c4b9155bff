namespace PacsCluster.Dimse.Tests;

/// <summary>How an association's thread is woken.</summary>
public sealed class WakeUpTests
{
    [Fact]
    public void CallsThatComeFirstAreOneAndNotLost()
    {
        var wakeUp = new WakeUp();
        wakeUp.Call();
        wakeUp.Call();
        wakeUp.Wait();
        var second = new Thread(wakeUp.Wait) { IsBackground = true };
        second.Start();
        Assert.False(second.Join(TimeSpan.FromMilliseconds(20)));
        wakeUp.Call();
        Assert.True(second.Join(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void NoCallIsLostWhereSleeperAndCallersMeet()
    {
        const int callers = 3, each = 20_000;
        var wakeUp = new WakeUp();
        int said = 0, heard = 0;
        // The next is said once this one was heard, so that each sleep races with its call; a lost one would be waited for in vain.
        var back = new WakeUp();
        var sleeper = new Thread(() =>
        {
            while (heard < callers * each)
            {
                while (Volatile.Read(ref said) == heard) wakeUp.Wait();
                heard++;
                back.Call();
            }
        }) { IsBackground = true };
        sleeper.Start();
        var turn = new Lock();
        Thread[] speakers = [.. Enumerable.Range(0, callers).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < each; i++)
            {
                lock (turn)
                {
                    int before = said;
                    Volatile.Write(ref said, before + 1);
                    wakeUp.Call();
                    while (Volatile.Read(ref heard) == before) back.Wait();
                }
            }
        }) { IsBackground = true })];
        foreach (Thread speaker in speakers) speaker.Start();
        Assert.True(sleeper.Join(TimeSpan.FromSeconds(60)));
        Assert.Equal(callers * each, heard);
    }
}
