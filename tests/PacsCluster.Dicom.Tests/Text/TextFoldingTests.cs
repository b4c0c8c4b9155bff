namespace PacsCluster.Dicom.Tests.Text;

public sealed class TextFoldingTests
{
    [Theory]
    [InlineData("MÜLLER", "muller")]
    [InlineData("Müller", "muller")]
    [InlineData("Mu\u0308ller", "muller")]
    [InlineData("Strauß", "strauss")]
    [InlineData("STRAUẞ", "strauss")]
    [InlineData("Sørensen Æbelø", "sorensen aebelo")]
    [InlineData("Łukasz Đoković", "lukasz dokovic")]
    [InlineData("İstanbul Işık", "istanbul isik")]
    [InlineData("Nguyễn Thị Hồng", "nguyen thi hong")]
    [InlineData("Þórður Guðmundsson", "thordur gudmundsson")]
    [InlineData("O’Brien", "o'brien")]
    [InlineData("Ｙａｍａｄａ　Ｔａｒｏ", "yamada taro")]
    [InlineData("ﾔﾏﾀﾞ ﾀﾛｳ ｶﾞﾊﾟ", "ヤマダ タロウ ガパ")]
    [InlineData("山田^太郎", "山田^太郎")]
    [InlineData("やまだ", "やまだ")]
    [InlineData("가나다 김희중", "가나다 김희중")]
    [InlineData("Διονυσίου ΆΝΝΑΣ", "διονυσιου αννασ")]
    [InlineData("Люкceмбypг Ёлкин Андрей", "люкceмбypг елкин андрей")]
    [InlineData("שָׁרוֹן", "שרון")]
    [InlineData("قَبَّانِي لِنِزَار أحمد", "قباني لنزار احمد")]
    [InlineData("ﬁ ﬂ ĳ", "fi fl ij")]
    [InlineData("plain ascii 123 *?^=\\", "plain ascii 123 *?^=\\")]
    [InlineData("สมชาย ใจดี", "สมชาย ใจดี")]
    [InlineData("", "")]
    public void Names_fold_to_what_people_type(string text, string expected) => Assert.Equal(expected, TextFolding.Fold(text));

    [Fact]
    public void Delimiters_and_wildcards_never_come_out_of_something_else()
    {
        for (int c = 0x80; c < 0x10000; c++)
        {
            string folded = TextFolding.Fold(((char)c).ToString());
            Assert.True(folded.AsSpan().IndexOfAny("*?\\^=") < 0, $"U+{c:X4}");
        }
    }

    [Fact]
    public void Folding_twice_changes_nothing_more()
    {
        for (int c = 0; c < 0x10000; c++)
        {
            string once = TextFolding.Fold("x" + (char)c + "カ");
            Assert.True(once == TextFolding.Fold(once), $"U+{c:X4}: {once}");
        }
    }

    [Fact]
    public void Text_without_anything_to_fold_is_not_copied()
    {
        string text = "smith^john";
        Assert.Same(text, TextFolding.Fold(text));
    }

    [Fact]
    public void Long_text_of_characters_that_grow_is_folded_whole() =>
        Assert.Equal(string.Concat(Enumerable.Repeat("ss", 5000)), TextFolding.Fold(new string('ß', 5000)));
}
