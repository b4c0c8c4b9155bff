namespace PacsCluster.Catalog.Tests;

public sealed class NameWordsTests
{
    [Theory]
    [InlineData("smith", "schmidt")]
    [InlineData("smith", "smyth")]
    [InlineData("meyer", "mayr")]
    [InlineData("muller", "mueller")]
    [InlineData("philip", "filip")]
    [InlineData("christian", "kristian")]
    [InlineData("thomas", "tomas")]
    [InlineData("wagner", "vagner")]
    [InlineData("john", "jon")]
    [InlineData("anna", "ana")]
    public void Words_that_sound_alike(string one, string other) => Assert.Equal(NameWords.SoundOf(one), NameWords.SoundOf(other));

    [Theory]
    [InlineData("smith", "schmitz")]
    [InlineData("anna", "nina")]
    [InlineData("bauer", "feuer")]
    [InlineData("otto", "tito")]
    [InlineData("x", "k")]
    [InlineData("山田", "山本")]
    public void Words_that_do_not(string one, string other) => Assert.NotEqual(NameWords.SoundOf(one), NameWords.SoundOf(other));

    [Fact]
    public void A_name_has_the_words_of_all_its_groups_and_a_key_none_of_its_wildcards()
    {
        Assert.Equal(["anne", "jurgen", "marie", "muller", "山田"], NameWords.Of("Müller^Anne-Marie Jürgen=山田").Select(w => w.Word).Order(StringComparer.Ordinal));
        Assert.Equal(["mull"], NameWords.OfKey("Müll*^?"));
        Assert.Empty(NameWords.Of(null));
    }
}
