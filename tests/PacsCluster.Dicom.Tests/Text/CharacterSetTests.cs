using System.Text;

namespace PacsCluster.Dicom.Tests.Text;

/// <summary>PS3.5 section 6.1 and annexes H to K, PS3.3 section C.12.1.1.2.</summary>
public sealed class CharacterSetTests
{
    [Theory]
    // PS3.5 annex H.3.1 and H.3.2 (Japanese), I.2 (Korean), J.1 and J.2 (Chinese), K.2
    [InlineData("\\ISO 2022 IR 87", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B", "Yamada^Tarou=山田^太郎=やまだ^たろう")]
    [InlineData("ISO 2022 IR 13\\ISO 2022 IR 87", "\u00d4\u00cf\u00c0\u00de^\u00c0\u00db\u00b3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう")]
    [InlineData("\\ISO 2022 IR 149", "Hong^Gildong=\x1b$)C\u00fb\u00f3^\x1b$)C\u00d1\u00ce\u00d4\u00d7=\x1b$)C\u00c8\u00ab^\x1b$)C\u00b1\u00e6\u00b5\u00bf", "Hong^Gildong=洪^吉洞=홍^길동")]
    [InlineData("\\ISO 2022 IR 58", "Zhang^XiaoDong=\x1b$)A\u00d5\u00c5^\x1b$)A\u00d0\u00a1\u00b6\u00ab=", "Zhang^XiaoDong=张^小东=")]
    [InlineData("ISO_IR 192", "Wang^XiaoDong=\u00e7\u008e\u008b^\u00e5\u00b0\u008f\u00e6\u009d\u00b1=", "Wang^XiaoDong=王^小東=")]
    [InlineData("GB18030", "Wang^XiaoDong=\u00cd\u00f5^\u00d0\u00a1\u00b6\u00ab=", "Wang^XiaoDong=王^小东=")]
    [InlineData("ISO 2022 IR 100\\ISO 2022 IR 126", "Dionysios is \x1b-F\u00c4\u00e9\u00ef\u00ed\u00f5\u00f3\u00e9\u00ef\u00f2", "Dionysios is Διονυσιος")]
    public void Examples_of_the_standard(string terms, string bytes, string text)
    {
        CharacterSet set = CharacterSet.FromTerms(terms.Split('\\'));
        Assert.True(set.IsUnderstood);
        Assert.Equal(text, set.Decode(Encoding.Latin1.GetBytes(bytes), VR.PN));
        Assert.True(set.TryEncode(text, VR.PN, out byte[] encoded));
        Assert.Equal(bytes, Encoding.Latin1.GetString(encoded));
    }

    [Theory]
    [InlineData("ISO_IR 100", "ISO_IR 100")]
    [InlineData("ISO-IR 100", "ISO_IR 100")]
    [InlineData("ISO IR 100", "ISO_IR 100")]
    [InlineData("ISO_IR_100", "ISO_IR 100")]
    [InlineData("ISO_IR100", "ISO_IR 100")]
    [InlineData("iso_ir 100", "ISO_IR 100")]
    [InlineData("ISO8859-1", "ISO_IR 100")]
    [InlineData("ISO 8859-1", "ISO_IR 100")]
    [InlineData("iso-8859-5", "ISO_IR 144")]
    [InlineData("latin1", "ISO_IR 100")]
    [InlineData("ISO 2022 IR100", "ISO 2022 IR 100")]
    [InlineData("ISO_2022_IR_100", "ISO 2022 IR 100")]
    [InlineData("ISO 2022-IR 100", "ISO 2022 IR 100")]
    [InlineData("ISO_IR 203", "ISO_IR 203")]
    [InlineData("UTF-8", "ISO_IR 192")]
    [InlineData("UTF8", "ISO_IR 192")]
    [InlineData("ISO 2022 IR 192", "ISO_IR 192")]
    [InlineData("\\ISO_IR 192", "ISO_IR 192")]
    [InlineData("ISO_IR 192\\ISO 2022 IR 87", "ISO_IR 192")]
    [InlineData("GB2312", "GBK")]
    [InlineData("gb18030", "GB18030")]
    [InlineData("ISO 2022 GBK", "GBK")]
    [InlineData("ISO_IR 58", "ISO 2022 IR 58")]
    [InlineData("ISO 2022 58", "ISO 2022 IR 58")]
    [InlineData("\\ISO_IR 87", "\\ISO 2022 IR 87")]
    [InlineData("ISO_IR 100\\ISO_IR 144", "ISO 2022 IR 100\\ISO 2022 IR 144")]
    [InlineData("ISO_IR 6", "ISO_IR 6")]
    [InlineData("", "")]
    public void Misspelt_terms_are_understood_and_written_as_the_standard_spells_them(string terms, string expected)
    {
        CharacterSet set = CharacterSet.FromTerms(terms.Split('\\'));
        Assert.True(set.IsUnderstood);
        Assert.Equal(expected, string.Join('\\', set.Terms));
    }

    [Theory]
    [InlineData("KLINGON")]
    [InlineData("ISO_IR 9999")]
    [InlineData("a term that is very very very very very long indeed 12345")]
    public void Unknown_terms_fall_back_to_the_default_repertoire(string term)
    {
        CharacterSet set = CharacterSet.FromTerms([term]);
        Assert.False(set.IsUnderstood);
        Assert.Equal("a\uFFFDb", set.Decode([0x61, 0xE4, 0x62], VR.LO));
    }

    [Theory]
    [InlineData(VR.PN, "\x1b-F\u00c4^\u00c4", "Δ^Ä")]
    [InlineData(VR.PN, "\x1b-F\u00c4=\u00c4", "Δ=Ä")]
    [InlineData(VR.PN, "\x1b-F\u00c4\\\u00c4", "Δ\\Ä")]
    [InlineData(VR.LO, "\x1b-F\u00c4\\\u00c4", "Δ\\Ä")]
    [InlineData(VR.LO, "\x1b-F\u00c4^\u00c4=\u00c4", "Δ^Δ=Δ")]
    [InlineData(VR.LT, "\x1b-F\u00c4\\\u00c4", "Δ\\Δ")]
    [InlineData(VR.LT, "\x1b-F\u00c4\r\n\u00c4", "Δ\r\nÄ")]
    [InlineData(VR.UT, "\x1b-F\u00c4\f\u00c4\t\u00c4", "Δ\fÄ\tÄ")]
    [InlineData(VR.ST, "\x1b-F\u00c4 \u00c4", "Δ Δ")]
    public void Delimiters_make_value_1_active_again(VR vr, string bytes, string text) =>
        Assert.Equal(text, CharacterSet.FromTerms(["ISO 2022 IR 100", "ISO 2022 IR 126"]).Decode(Encoding.Latin1.GetBytes(bytes), vr));

    [Fact]
    public void A_second_byte_5C_separates_nothing()
    {
        // 81 5C and 8D 5C.
        CharacterSet set = CharacterSet.FromTerms(["GB18030"]);
        Assert.True(set.TryEncode("乗峔", VR.LO, out byte[] bytes));
        Assert.Equal("乗峔\\b", set.Decode([.. bytes, (byte)'\\', (byte)'b'], VR.LO));
        // In JIS X 0208 both bytes of a character may be 5C.
        CharacterSet japanese = CharacterSet.FromTerms(["", "ISO 2022 IR 87"]);
        Assert.Equal(4, japanese.Decode("\x1b$B\\\\0\\\x1b(B\\a"u8, VR.LO).Length);
    }

    [Fact]
    public void Yen_and_overline_of_JIS_X_0201()
    {
        CharacterSet set = CharacterSet.FromTerms(["ISO_IR 13"]);
        Assert.Equal("¥‾", set.Decode("\\~"u8, VR.ST));
        Assert.Equal("\\‾", set.Decode("\\~"u8, VR.LO));
        Assert.True(set.TryEncode("¥‾", VR.ST, out byte[] bytes));
        Assert.Equal("\\~"u8.ToArray(), bytes);
        Assert.False(set.TryEncode("¥", VR.LO, out _)); // it would be read as a separator
        Assert.False(set.TryEncode("~", VR.LO, out _));
    }

    [Fact]
    public void Terms_allow_only_what_they_say()
    {
        Assert.False(CharacterSet.FromTerms(["ISO_IR 100"]).TryEncode("Я", VR.LO, out _));
        Assert.False(CharacterSet.Default.TryEncode("ä", VR.LO, out _));
        Assert.False(CharacterSet.Utf8.TryEncode("ä", VR.CS, out _));
        Assert.False(CharacterSet.Utf8.TryEncode("\uD800", VR.LO, out _));
        Assert.False(CharacterSet.FromTerms(["GBK"]).TryEncode("😀", VR.LO, out _));
        Assert.True(CharacterSet.FromTerms(["GB18030"]).TryEncode("😀", VR.LO, out byte[] bytes));
        Assert.Equal("😀", CharacterSet.FromTerms(["GB18030"]).Decode(bytes, VR.LO));
    }

    [Fact]
    public void Decoding_never_throws_and_never_grows()
    {
        var random = new Random(4711);
        string[][] terms = [[], ["ISO_IR 100"], ["ISO_IR 192"], ["GB18030"], ["GBK"], ["ISO_IR 166"], ["", "ISO 2022 IR 87", "ISO 2022 IR 159"], ["ISO 2022 IR 13", "ISO 2022 IR 149", "ISO 2022 IR 58"]];
        string[] escapes = ["\x1b(B", "\x1b(J", "\x1b)I", "\x1b$B", "\x1b$(D", "\x1b$)C", "\x1b$)A", "\x1b-F", "\x1b-T", "\x1b", "\x1b$", "\x1b$)Z"];
        byte[] bytes = new byte[64];
        for (int i = 0; i < 20_000; i++)
        {
            random.NextBytes(bytes);
            for (int n = random.Next(4); n > 0; n--) Encoding.Latin1.GetBytes(escapes[random.Next(escapes.Length)]).CopyTo(bytes, random.Next(60));
            string text = CharacterSet.FromTerms(terms[random.Next(terms.Length)]).Decode(bytes, random.Next(2) == 0 ? VR.PN : VR.LT);
            Assert.InRange(text.Length, 1, 64);
        }
    }
}
