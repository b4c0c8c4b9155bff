namespace PacsCluster.Catalog.Tests;

// Reminders, readers of the feed, nodes and metadata blocks.
public abstract partial class CatalogConformance
{
    private static readonly DateTimeOffset s_t = Archive.Now;

    private static DateTimeOffset At(int seconds) => s_t.AddSeconds(seconds);

    private static ReminderRow Reminder(string key, int due, string name = "completion", string kind = "study", string payload = "") =>
        new() { Id = new ReminderId(kind, key, name), DueAt = At(due), Payload = payload };

    private ValueTask<ReminderClaim> ClaimAsync(int now, int limit = 10, string owner = "a", ICatalogWriter? writer = null, params string[] kinds) =>
        (writer ?? Writer).ClaimRemindersAsync(new ClaimRequest(owner, kinds.Length > 0 ? kinds : ["study"], At(now), At(now + 60), limit), Ct);

    private async Task CommitAsync(Action<CatalogChanges> fill)
    {
        var changes = new CatalogChanges();
        fill(changes);
        await Writer.CommitAsync(changes, Ct);
    }

    private async Task<IEnumerable<(string, DateTimeOffset, int, string, string)>> RemindersAsync() =>
        (await Catalog.ListRemindersAsync(1000, Ct)).Select(r => (r.Id.Key, r.DueAt, r.Attempts, r.LeasedBy, r.Payload));

    [Fact]
    public async Task A_reminder_is_claimed_when_due_and_by_one_only()
    {
        await CommitAsync(c => c.Reminders.AddRange([Reminder("1", 30, payload: "p"), Reminder("2", 10), Reminder("3", 20), Reminder("x", 0, kind: "other")]));
        ReminderClaim early = await ClaimAsync(5);
        Assert.Empty(early.Claimed);
        Assert.Equal(At(10), early.NextDue);

        ReminderClaim first = await ClaimAsync(30, limit: 2);
        Assert.Equal(["2", "3"], first.Claimed.Select(r => r.Id.Key));
        Assert.All(first.Claimed, r => Assert.Equal((At(90), "a", 1), (r.DueAt, r.LeasedBy, r.Attempts)));
        Assert.Equal(At(30), first.NextDue);

        ReminderClaim second = await ClaimAsync(31, owner: "b");
        Assert.Equal(("1", "p"), (Assert.Single(second.Claimed).Id.Key, second.Claimed[0].Payload));
        Assert.Equal(At(90), second.NextDue);
        Assert.Empty((await ClaimAsync(89)).Claimed);
        Assert.Equal("x", Assert.Single((await ClaimAsync(31, 10, "c", null, "other", "more", "and")).Claimed).Id.Key);
        Assert.Null((await ClaimAsync(31, 10, "c", null, "none")).NextDue);
    }

    [Fact]
    public async Task A_limit_of_nothing_only_asks_for_the_time()
    {
        Assert.Null((await ClaimAsync(0, limit: 0)).NextDue);
        await CommitAsync(c => c.Reminders.Add(Reminder("1", -5)));
        ReminderClaim asked = await ClaimAsync(0, limit: 0);
        Assert.Empty(asked.Claimed);
        Assert.Equal(At(-5), asked.NextDue);
    }

    [Fact]
    public async Task A_lease_that_is_over_lets_another_claim_and_the_first_can_neither_finish_nor_postpone()
    {
        await CommitAsync(c => c.Reminders.Add(Reminder("1", 0)));
        ReminderRow lost = (await ClaimAsync(0)).Claimed[0];
        ReminderRow held = (await ClaimAsync(60, owner: "b")).Claimed[0];
        Assert.Equal(2, held.Attempts);
        await CommitAsync(c => c.FinishedReminders.Add(lost));
        await CommitAsync(c => c.PostponedReminders.Add((lost, At(500))));
        Assert.Equal([("1", At(120), 2, "b", "")], await RemindersAsync());
        await CommitAsync(c => c.FinishedReminders.Add(held));
        Assert.Empty(await RemindersAsync());
    }

    [Fact]
    public async Task Also_the_same_node_that_claims_again_holds_another_claim()
    {
        await CommitAsync(c => c.Reminders.Add(Reminder("1", 0)));
        ReminderRow lost = (await ClaimAsync(0)).Claimed[0];
        Assert.Single((await ClaimAsync(60)).Claimed);
        await CommitAsync(c => c.FinishedReminders.Add(lost));
        Assert.Single(await RemindersAsync());
    }

    [Fact]
    public async Task A_postponed_reminder_is_nobodys_until_it_is_due_again()
    {
        await CommitAsync(c => c.Reminders.Add(Reminder("1", 0)));
        ReminderRow claimed = (await ClaimAsync(0)).Claimed[0];
        await CommitAsync(c => c.PostponedReminders.Add((claimed with { Payload = "later" }, At(10))));
        Assert.Equal([("1", At(10), 1, "", "later")], await RemindersAsync());
        Assert.Empty((await ClaimAsync(9)).Claimed);
        Assert.Equal(2, Assert.Single((await ClaimAsync(10)).Claimed).Attempts);
    }

    [Fact]
    public async Task A_reminder_set_anew_while_somebody_works_on_it_is_due_all_the_same()
    {
        await CommitAsync(c => c.Reminders.Add(Reminder("1", 0)));
        ReminderRow claimed = (await ClaimAsync(0)).Claimed[0];
        await CommitAsync(c => c.Reminders.Add(Reminder("1", 5, payload: "again")));
        await CommitAsync(c => c.FinishedReminders.Add(claimed));
        Assert.Equal([("1", At(5), 0, "", "again")], await RemindersAsync());
    }

    [Fact]
    public async Task Reminders_are_set_where_there_is_none_and_cancelled()
    {
        await CommitAsync(c => c.NewReminders.Add(Reminder("1", 7)));
        await CommitAsync(c => c.NewReminders.Add(Reminder("1", 1)));
        Assert.Equal([("1", At(7), 0, "", "")], await RemindersAsync());
        await CommitAsync(c => c.Reminders.Add(Reminder("1", 1, name: "other")));
        await ClaimAsync(7, limit: 1);
        await CommitAsync(c => c.CancelledReminders.AddRange([new("study", "1", "completion"), new("study", "none", "completion")]));
        Assert.Equal("other", Assert.Single(await Catalog.ListRemindersAsync(10, Ct)).Id.Name);
    }

    [Fact]
    public async Task Reminders_belong_to_their_commit()
    {
        await Archive.StoreAsync(Uids(1));
        await Assert.ThrowsAsync<VersionConflictException>(() => Archive.StoreAsync(Archive.Header(Uids(1)), (changes, _) => changes.Reminders.Add(Reminder("1", 0))));
        Assert.Empty(await RemindersAsync());
    }

    [Fact]
    public async Task Many_claimants_share_all_reminders_and_nobody_gets_one_twice()
    {
        await using ICatalog other = await OpenAgainAsync();
        await CommitAsync(c => c.Reminders.AddRange(Enumerable.Range(0, 200).Select(i => Reminder($"{i}", i % 7))));
        var claimed = new System.Collections.Concurrent.ConcurrentBag<string>();
        await Parallel.ForAsync(0, 8, Ct, async (n, _) =>
        {
            ICatalogWriter writer = n % 2 == 0 ? Writer : (ICatalogWriter)other;
            while (true)
            {
                ReminderClaim claim = await ClaimAsync(100, 7, $"node{n}", writer);
                foreach (ReminderRow row in claim.Claimed) claimed.Add(row.Id.Key);
                if (claim.Claimed.Count == 0) break;
            }
        });
        Assert.Equal(200, claimed.Count);
        Assert.Equal(200, claimed.Distinct().Count());
    }

    [Fact]
    public async Task The_feed_is_trimmed_and_says_how_far_it_goes()
    {
        Assert.Equal(new FeedState(1, 0), await Catalog.GetFeedAsync(Ct));
        await CommitAsync(c => c.Outbox.AddRange(Enumerable.Range(1, 10).Select(i => new OutboxRow { Kind = "k", StudyInstanceUid = $"{i}", CreatedAt = s_t })));
        Assert.Equal(new FeedState(1, 10), await Catalog.GetFeedAsync(Ct));
        await CommitAsync(c => c.TrimOutboxTo = 4);
        Assert.Equal(new FeedState(5, 10), await Catalog.GetFeedAsync(Ct));
        Assert.Equal([5L, 6L], (await Catalog.ReadOutboxAsync(0, 2, Ct).ToListAsync(Ct)).Select(e => e.Sequence));
        await CommitAsync(c => c.TrimOutboxTo = 10);
        Assert.Equal(new FeedState(11, 10), await Catalog.GetFeedAsync(Ct));
        await CommitAsync(c => c.Outbox.Add(new OutboxRow { Kind = "k", StudyInstanceUid = "11", CreatedAt = s_t }));
        Assert.Equal([11L], (await Catalog.ReadOutboxAsync(0, 2, Ct).ToListAsync(Ct)).Select(e => e.Sequence));
    }

    [Fact]
    public async Task Consumers_only_go_forward_until_they_are_forgotten()
    {
        await CommitAsync(c => c.Consumers.AddRange([new("b", 5, At(1)), new("a", 3, At(2))]));
        await CommitAsync(c => c.Consumers.Add(new("b", 2, At(3))));
        Assert.Equal([new("a", 3, At(2)), new("b", 5, At(3))], await Catalog.ListConsumersAsync(Ct));
        await CommitAsync(c => c.RemovedConsumers.AddRange(["b", "none"]));
        Assert.Equal("a", Assert.Single(await Catalog.ListConsumersAsync(Ct)).Name);
    }

    [Fact]
    public async Task A_nodes_name_is_its_own_while_its_lease_lasts()
    {
        NodeRow one = new()
        {
            Name = "n1", Session = "s1", Site = "east", Roles = ["dimse", "web"], Addresses = ["dicom://10.0.0.1:104/X"], SoftwareVersion = "1.2", StartedAt = s_t, LeasedUntil = At(30),
        };
        await CommitAsync(c => c.Nodes.Add(new NodeLease(one, At(0))));
        await CommitAsync(c => c.Nodes.Add(new NodeLease(one with { LeasedUntil = At(40) }, At(10))));
        NodeRow twin = one with { Session = "s2", Site = "west", Roles = [], LeasedUntil = At(70) };
        Assert.Equal("node", (await Assert.ThrowsAsync<VersionConflictException>(() => CommitAsync(c => c.Nodes.Add(new NodeLease(twin, At(39)))))).Kind);
        NodeRow listed = Assert.Single(await Catalog.ListNodesAsync(Ct));
        Assert.Equal(["dimse", "web"], listed.Roles);
        Assert.Equal(one with { LeasedUntil = At(40), Roles = listed.Roles, Addresses = listed.Addresses }, listed);
        await CommitAsync(c => c.Nodes.Add(new NodeLease(twin, At(40))));
        await CommitAsync(c => c.RemovedNodes.Add(one));
        Assert.Equal(("s2", "west", 0), (await Catalog.ListNodesAsync(Ct)) is [var now] ? (now.Session, now.Site, now.Roles.Count) : default);
        await CommitAsync(c => c.RemovedNodes.Add(twin));
        Assert.Empty(await Catalog.ListNodesAsync(Ct));
    }
}
