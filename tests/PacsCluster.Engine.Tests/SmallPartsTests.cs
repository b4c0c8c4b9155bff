using PacsCluster.Dicom;

namespace PacsCluster.Engine.Tests;

public sealed class SmallPartsTests
{
    [Theory]
    [InlineData("1.2.840.10008.1.2", UidHealth.Good)]
    [InlineData("0.0", UidHealth.Good)]
    [InlineData("2.25.329800735698586629295641978511506172918", UidHealth.Good)]
    [InlineData("1.02.3", UidHealth.Bad)]
    [InlineData("1..3", UidHealth.Bad)]
    [InlineData("1.2.", UidHealth.Bad)]
    [InlineData(".1", UidHealth.Bad)]
    [InlineData("00", UidHealth.Bad)]
    [InlineData("toy", UidHealth.Bad)]
    [InlineData("1.2345678901234567890123456789012345678901234567890123456789012345", UidHealth.Bad)]
    [InlineData("1.2*", UidHealth.Missing)]
    [InlineData("1.2\\1.3", UidHealth.Missing)]
    [InlineData("1 2", UidHealth.Missing)]
    [InlineData("", UidHealth.Missing)]
    [InlineData(null, UidHealth.Missing)]
    internal void C_35_UidsAreJudged(string? uid, UidHealth health) => Assert.Equal(health, UidCheck.Judge(uid));

    [Theory, InlineData(" 1.2\0", "1.2"), InlineData("1.2\0 ", "1.2"), InlineData("\0", null), InlineData(null, null), InlineData("1.2", "1.2")]
    public void C_35_PaddingIsTakenOff(string? uid, string? trimmed) => Assert.Equal(trimmed, UidCheck.Trim(uid));

    [Fact]
    public void StudiesAreRememberedFromWhenTheyWereNoticedLast()
    {
        DateTimeOffset start = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);
        var recent = new RecentStudies(TimeSpan.FromSeconds(10));
        recent.Add("1.1", start);
        recent.Add("1.2", start.AddSeconds(3));
        recent.Add("1.1", start.AddSeconds(6));
        Assert.True(recent.Contains("1.1", start.AddSeconds(12)));
        Assert.True(recent.Contains("1.2", start.AddSeconds(12)));
        Assert.False(recent.Contains("1.2", start.AddSeconds(13)));
        Assert.True(recent.Contains("1.1", start.AddSeconds(15)));
        Assert.False(recent.Contains("1.1", start.AddSeconds(16)));
        // A clock that was set back, and forth again.
        foreach (int second in (int[])[30, 25, 30]) recent.Add("1.1", start.AddSeconds(second));
        Assert.True(recent.Contains("1.1", start.AddSeconds(39)));
        Assert.False(recent.Contains("1.1", start.AddSeconds(40)));
    }

    [Fact]
    public void FramesAndBulkValuesArePackedAndUnpacked()
    {
        FrameLocation[] frames = [new(100, 5000, 1), new(5108, 7, 1), new(20, 1L << 40, 3), new(1L << 41, 0, 0)];
        BulkValue[] bulk = [new(new Tag(0x00091010), VR.UN, 70, 65536), new(Tags.PixelData, VR.OB, 65700, 1L << 40), new(new Tag(0xFFFCFFFC), VR.OB, 10, 0)];
        InstanceLayout layout = InstanceLayout.Unpack(InstanceLayout.Pack(frames, bulk));
        Assert.Equal(frames, layout.Frames);
        Assert.Equal(bulk, layout.Bulk);
        Assert.Equal(bulk[1], layout.Find(Tags.PixelData));
        Assert.Null(layout.Find(Tags.PatientID));
        Assert.Empty(InstanceLayout.Pack([], []));
        Assert.Empty(InstanceLayout.Unpack([]).Frames);
        FrameLocation[] many = [.. Enumerable.Range(0, 10_000).Select(i => new FrameLocation(1000 + (i * 60_008L), 60_000, 1))];
        byte[] packed = InstanceLayout.Pack(many, []);
        Assert.True(packed.Length < 60_000);
        Assert.Equal(many, InstanceLayout.Unpack(packed).Frames);
        for (int length = 1; length < 100; length++) Assert.Throws<InvalidDataException>(() => InstanceLayout.Unpack(packed.AsSpan(0, length)));
        Assert.Throws<InvalidDataException>(() => InstanceLayout.Unpack([2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]));
        Assert.Throws<InvalidDataException>(() => InstanceLayout.Unpack([2, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]));
        Assert.Throws<InvalidDataException>(() => InstanceLayout.Unpack([3, 0]));
    }

    [Fact]
    public void FramesOfTheFirstVersionAreUnderstood()
    {
        InstanceLayout layout = InstanceLayout.Unpack([1, 1, 200, 1, 5, 1]);
        Assert.Equal([new FrameLocation(100, 5, 1)], layout.Frames);
        Assert.Empty(layout.Bulk);
    }

    [Fact]
    public async Task TheByteBudgetIsFairAndLetsAGiantInAlone()
    {
        var budget = new ByteBudget(100);
        await budget.TakeAsync(60, CancellationToken.None);
        Task giant = budget.TakeAsync(1000, CancellationToken.None).AsTask();
        Task small = budget.TakeAsync(1, CancellationToken.None).AsTask(); // would fit, but is not to overtake
        Assert.False(giant.IsCompleted || small.IsCompleted);
        budget.Give(60);
        await giant;
        Assert.False(small.IsCompleted);
        budget.Give(1000);
        await small;
        using var cancel = new CancellationTokenSource();
        Task cancelled = budget.TakeAsync(100, cancel.Token).AsTask();
        Task behind = budget.TakeAsync(50, CancellationToken.None).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        await behind;
        budget.Give(51);
        await budget.TakeAsync(100, CancellationToken.None);
    }

    [Fact]
    public void EveryWrongOptionIsNamed()
    {
        Assert.Empty(new EngineOptions().Validate());
        IReadOnlyList<string> errors = new EngineOptions
        {
            ReadBufferBytes = 1,
            QueueMaxBytes = 5,
            OrphanAge = TimeSpan.Zero,
            Policy = new StorePolicy { MissingUid = MisfitPolicy.Store, DifferentContent = (DifferentContentPolicy)9 },
            CallingAETitles = new Dictionary<string, StorePolicyOverride> { [" SEVENTEEN LETTERS"] = new() { BadUid = (MisfitPolicy)7 } },
        }.Validate();
        foreach (string name in new[] { "ReadBufferBytes", "QueueMaxBytes", "OrphanAge", "Policy:MissingUid", "Policy:DifferentContent", "SEVENTEEN", "BadUid" })
            Assert.Contains(errors, e => e.Contains(name, StringComparison.Ordinal));
    }

    [Fact]
    public void C_31_CommentsAreShortAndAscii()
    {
        Assert.Equal("fine", Comments.Bounded("fine"));
        Assert.Equal(64, Comments.Bounded(new string('x', 100)).Length);
        Assert.Equal("a?b?c", Comments.Bounded("a\\b\nc"));
    }
}
