using PacsCluster.Dicom;

namespace PacsCluster.Catalog.Tests;

// What lists need beside a search: a number, an order, names that sound alike.
public abstract partial class CatalogConformance
{
    [Theory]
    [InlineData("", 100, 6)]
    [InlineData("", 4, 4)]
    [InlineData("00100010=SM*", 100, 3)]
    [InlineData("00100010=*mit*", 100, 2)]
    [InlineData("00100010=*mit*", 1, 1)]
    [InlineData("0020000D=9.9", 100, 0)]
    public async Task Matches_are_counted_up_to_a_bound(string keys, int upTo, int expected)
    {
        await FillAsync();
        Assert.Equal(expected, await Catalog.CountMatchesAsync(Request(QueryLevel.Study, Identifier(keys, 0x0020_000D)) with { Limit = 1, Offset = 3, Order = SearchOrder.NewestStudyFirst }, upTo, Ct));
    }

    [Fact]
    public async Task Answers_are_ordered_by_an_attribute_and_what_has_none_is_the_least()
    {
        await FillAsync();
        SearchRequest all = Request(QueryLevel.Study, Identifier("", 0x0020_000D));
        async Task<string> FindAsync(bool isDescending) => string.Join(' ', (await Catalog.SearchAsync(MatchingKeys.OrderBy(all, [(new Tag(0x0008_0020), isDescending)]).Request!, Ct).ToListAsync(Ct))
            .Select(r => r[s_studyUid]!["1.2.".Length..]));
        Assert.Equal("6 5 1 2 3 4", await FindAsync(false));
        Assert.Equal("4 3 2 1 5 6", await FindAsync(true));
        Assert.Equal("4 3 2 1 5 6", string.Join(' ', (await Catalog.SearchAsync(all with { Order = SearchOrder.Hierarchy }, Ct).ToListAsync(Ct)).Select(r => r[s_studyUid]!["1.2.".Length..])));
    }

    [Theory]
    [InlineData("smit", "1 2")]
    [InlineData("Jon^Smyth", "1 2")]
    [InlineData("john smi", "1 2")]
    [InlineData("miller", "4")]
    [InlineData("山田", "5")]
    [InlineData("smith paul", "")]
    public async Task Fuzzy_names_are_found_by_their_words_and_sounds(string name, string expected)
    {
        await FillAsync();
        SearchRequest request = Request(QueryLevel.Study, Identifier("00100010=" + name, 0x0020_000D), new MatchingOptions { FuzzyNames = true });
        Assert.Equal(expected, Last(await Catalog.SearchAsync(request, Ct).ToListAsync(Ct), s_studyUid));
    }
}
