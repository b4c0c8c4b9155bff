namespace PacsCluster.Catalog.Tests;

/// <summary>The pure parts: wildcards, dates and times, folded names.</summary>
public sealed class UnitTests
{
    [Theory]
    [InlineData("", "", true)]
    [InlineData("*", "", true)]
    [InlineData("a*c", "abc", true)]
    [InlineData("a*c", "abcd", false)]
    [InlineData("*a*b*", "xxaxxbxx", true)]
    [InlineData("?", "", false)]
    [InlineData("a?c", "abc", true)]
    [InlineData("%", "x", false)]
    [InlineData("a**b", "ab", true)]
    public void Wildcards(string pattern, string text, bool matches) => Assert.Equal(matches, Wildcard.Matches(pattern, text));

    [Fact]
    public void A_hostile_pattern_takes_no_longer_than_the_product_of_lengths() =>
        Assert.False(Wildcard.Matches(string.Concat(Enumerable.Repeat("a*", 500)) + "b", new string('a', 5000)));

    [Theory]
    [InlineData("abc", "abd")]
    [InlineData("z", "{")]
    [InlineData("\ud7ff", null)]
    [InlineData("a\ud7ff", "b")]
    public void The_end_of_a_prefix(string prefix, string? after) => Assert.Equal(after, Wildcard.AfterPrefix(prefix));

    [Theory]
    [InlineData("10", 36_000, 39_600)]
    [InlineData("1015", 36_900, 36_960)]
    [InlineData("10:15:30", 36_930, 36_931)]
    [InlineData("101530.5", 36_930.5, 36_930.6)]
    [InlineData("101530.123456", 36_930.123456, 36_930.123457)]
    public void Times_are_the_interval_that_they_name(string text, double from, double to)
    {
        Assert.True(Moments.TryTime(text, out (long From, long To) interval));
        Assert.Equal((from, to), (interval.From / 1e6, interval.To / 1e6));
    }

    [Theory]
    [InlineData("24")]
    [InlineData("1060")]
    [InlineData("1")]
    [InlineData("101530.")]
    [InlineData("now")]
    [InlineData("1015307")]
    public void What_is_no_time(string text) => Assert.False(Moments.TryTime(text, out _));

    [Theory]
    [InlineData("2024", "20231231235959", false)]
    [InlineData("2024", "2024", true)]
    [InlineData("2024-", "20250101", true)]
    [InlineData("-2024", "20250101", false)]
    [InlineData("20240101-20240131", "20240131235959.999", true)]
    [InlineData("20240101120000+0100", "20240101110000+0000", true)]
    [InlineData("2024010112-0500", "2024010117", true)]
    [InlineData("2024010112-0500-2024010113-0500", "202401011730", true)]
    [InlineData("2024010112-0500-", "202401011659", false)]
    public void Date_times(string key, string stored, bool matches)
    {
        Assert.True(Moments.TryParseDateTimes(key, out ValueRange range));
        Assert.True(Moments.TryDateTime(stored, out (long From, long To) moment));
        Assert.Equal(matches, moment.From >= range.Low && moment.From < range.High);
    }

    [Fact]
    public void Attributes_that_do_not_change_are_the_same_object()
    {
        Dicom.Tag name = new(0x0010_0010), sex = new(0x0010_0040);
        AttributeValues one = AttributeValues.Empty(QueryLevel.Patient).With(name, "A^B");
        Assert.Same(one, one.With(name, "A^B"));
        Assert.Same(one, one.FillFrom(AttributeValues.Empty(QueryLevel.Patient).With(name, "C^D")));
        AttributeValues filled = one.FillFrom(AttributeValues.Empty(QueryLevel.Patient).With(name, "C^D").With(sex, "F"));
        Assert.Equal(("A^B", "F"), (filled[name], filled[sex]));
    }

    [Theory]
    [InlineData("Müller^Jürgen", "muller^jurgen")]
    [InlineData(" SMITH ^ John ^^^ ", "smith^john")]
    [InlineData("Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou=山田^太郎=やまだ^たろう")]
    [InlineData("=山田", "=山田")]
    [InlineData("A^B\\C^D", "a^b\\c^d")]
    public void Names_are_folded_by_group(string name, string folded) => Assert.Equal(folded, Column.FoldNames(name));
}
