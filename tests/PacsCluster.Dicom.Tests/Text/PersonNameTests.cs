namespace PacsCluster.Dicom.Tests.Text;

public sealed class PersonNameTests
{
    [Fact]
    public void Groups_and_components_come_apart()
    {
        PersonName name = PersonName.Parse("Adams^John Robert Quincy^^Rev.^B.A. M.Div.=山田^太郎=やまだ^たろう");
        Assert.Equal(new PersonNameGroup("Adams", "John Robert Quincy", "", "Rev.", "B.A. M.Div."), name.Alphabetic);
        Assert.Equal("太郎", name.Ideographic.GivenName);
        Assert.Equal("やまだ^たろう", name.Phonetic.ToString());
    }

    [Theory]
    [InlineData("Smith^John^^^", "Smith^John")]
    [InlineData(" Smith ^ John ", "Smith^John")]
    [InlineData("Smith^John==", "Smith^John")]
    [InlineData("=山田^太郎", "=山田^太郎")]
    [InlineData("a^b^c^d^e^f", "a^b^c^d^e^f")]
    [InlineData("a=b=c=d", "a=b=c")]
    [InlineData("^^^^", "")]
    [InlineData("", "")]
    public void Written_without_what_has_no_meaning(string value, string expected) => Assert.Equal(expected, PersonName.Parse(value).ToString());

    [Theory]
    [InlineData("MÜLLER^Jörg  Peter", "muller^jorg peter")]
    [InlineData("Sm*th^J?", "sm*th^j?")]
    [InlineData("^John", "^john")]
    public void Folded_form_keeps_components_and_wildcards(string value, string expected) => Assert.Equal(expected, PersonName.Parse(value).Alphabetic.Fold());

    [Fact]
    public void Folded_words_do_not_depend_on_the_order_of_components() =>
        Assert.Equal(PersonName.Parse("Müller-Lüdenscheidt^Hans").FoldWords(), PersonName.Parse("Hans^Lüdenscheidt^Muller").FoldWords());
}
