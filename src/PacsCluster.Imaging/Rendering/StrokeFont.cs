namespace PacsCluster.Imaging.Rendering;

/// <summary>Text as strokes: ASCII from the Hershey alphabet, letters of Latin-1 and Latin Extended-A as their base letter with its mark. Any other
/// character is a crossed box, so that a name that cannot be drawn is seen to be missing and not mistaken for another.</summary>
internal static class StrokeFont
{
    // Units of the alphabet: capitals reach from -12 to 9, small letters from -5.
    private const int CapTop = -12, SmallTop = -5, Baseline = 9;

    /// <summary>From the top of a capital to the baseline, in units.</summary>
    public const int CapHeight = Baseline - CapTop;

    /// <summary>From baseline to baseline, in units.</summary>
    public const int LineHeight = 34;

    private static readonly Glyph[] s_glyphs = [.. StrokeGlyphs.Lines.Split('\n').Select(Parse)];
    private static readonly Dictionary<char, (string Base, char Mark)> s_composed = Compose();
    private static readonly Glyph s_box = new(22, [[(4, -12), (18, -12), (18, 9), (4, 9), (4, -12)], [(4, -12), (18, 9)], [(18, -12), (4, 9)]]);

    /// <summary>A character: how far the next one stands, and its strokes from there on (x right, y down, capitals from -12 to 9).</summary>
    public sealed record Glyph(int Advance, IReadOnlyList<(double X, double Y)>[] Strokes);

    /// <summary>The glyphs of a line.</summary>
    public static IEnumerable<Glyph> Glyphs(string line)
    {
        foreach (System.Text.Rune rune in line.EnumerateRunes())
        {
            if (rune.Value is >= 32 and < 127) yield return s_glyphs[rune.Value - 32];
            else if (rune.IsBmp && s_composed.TryGetValue((char)rune.Value, out (string Base, char Mark) composed))
            {
                foreach (char c in composed.Base) yield return WithMark(s_glyphs[c - 32], c, composed.Mark);
            }
            else if (rune.Value == 0xA0) yield return s_glyphs[0];
            else yield return s_box;
        }
    }

    /// <summary>Whether every character has a glyph of its own.</summary>
    public static bool CanDraw(string text) => text.EnumerateRunes().All(r => r.Value is >= 32 and < 127 or 0xA0 || r.IsBmp && s_composed.ContainsKey((char)r.Value));

    /// <summary>Length of a line in units.</summary>
    public static int Measure(string line) => Glyphs(line).Sum(g => g.Advance);

    private static Glyph Parse(string line)
    {
        int left = line[0] - 'R', right = line[1] - 'R';
        var strokes = new List<IReadOnlyList<(double, double)>>();
        var stroke = new List<(double, double)>();
        for (int i = 2; i + 1 < line.Length; i += 2)
        {
            if (line[i] == ' ')
            {
                strokes.Add(stroke);
                stroke = [];
                continue;
            }
            stroke.Add((line[i] - 'R' - left, line[i + 1] - 'R'));
        }
        if (stroke.Count > 0) strokes.Add(stroke);
        return new Glyph(right - left, [.. strokes]);
    }

    private static Glyph WithMark(Glyph letter, char c, char mark)
    {
        if (mark == ' ') return letter;
        double middle = letter.Advance / 2.0;
        bool isTall = char.IsAsciiLetterUpper(c) || c is 'b' or 'd' or 'f' or 'h' or 'k' or 'l' or 't';
        double top = (isTall ? CapTop : SmallTop) - 3;
        (double, double)[][] strokes = mark switch
        {
            '`' => [[(middle - 3, top - 3), (middle + 1, top)]],
            '´' => [[(middle + 3, top - 3), (middle - 1, top)]],
            '^' => [[(middle - 4, top), (middle, top - 3), (middle + 4, top)]],
            'ˇ' => [[(middle - 4, top - 3), (middle, top), (middle + 4, top - 3)]],
            '~' => [[(middle - 5, top), (middle - 2, top - 2), (middle + 2, top), (middle + 5, top - 2)]],
            '¨' => [[(middle - 4, top - 1), (middle - 3, top - 1)], [(middle + 3, top - 1), (middle + 4, top - 1)]],
            '°' => [[(middle, top), (middle - 2, top - 2), (middle, top - 4), (middle + 2, top - 2), (middle, top)]],
            '¯' => [[(middle - 4, top - 1), (middle + 4, top - 1)]],
            '˘' => [[(middle - 4, top - 3), (middle, top), (middle + 4, top - 3)]],
            '˙' => [[(middle - 0.5, top - 1), (middle + 0.5, top - 1)]],
            '˝' => [[(middle - 1, top - 3), (middle - 4, top)], [(middle + 4, top - 3), (middle + 1, top)]],
            '¸' => [[(middle, Baseline), (middle + 2, Baseline + 3), (middle - 2, Baseline + 5)]],
            '˛' => [[(middle + 3, Baseline), (middle + 1, Baseline + 3), (middle + 4, Baseline + 5)]],
            _ => [[(middle - 5, 3), (middle + 5, -7)]],
        };
        return new Glyph(letter.Advance, [.. letter.Strokes, .. strokes]);
    }

    private static Dictionary<char, (string, char)> Compose()
    {
        var composed = new Dictionary<char, (string, char)>
        {
            ['ß'] = ("ss", ' '), ['Æ'] = ("AE", ' '), ['æ'] = ("ae", ' '), ['Œ'] = ("OE", ' '), ['œ'] = ("oe", ' '), ['Ĳ'] = ("IJ", ' '), ['ĳ'] = ("ij", ' '),
            ['–'] = ("-", ' '), ['—'] = ("-", ' '), ['‘'] = ("'", ' '), ['’'] = ("'", ' '), ['“'] = ("\"", ' '), ['”'] = ("\"", ' '), ['°'] = ("o", ' '),
            ['×'] = ("x", ' '), ['µ'] = ("u", ' '), ['μ'] = ("u", ' '),
        };
        // Mark, then pairs of a letter and its base.
        string[] marks =
        [
            "`ÀAÈEÌIÒOÙUàaèeìiòoùu", "´ÁAÉEÍIÓOÚUÝYáaéeíióoúuýyĆCćcĹLĺlŃNńnŔRŕrŚSśsŹZźz", "^ÂAÊEÎIÔOÛUâaêeîiôoûuĈCĉcĜGĝgĤHĥhĴJĵjŜSŝsŴWŵwŶYŷy",
            "~ÃAÑNÕOãañnõoĨIĩiŨUũu", "¨ÄAËEÏIÖOÜUŸYäaëeïiöoüuÿy", "°ÅAåaŮUůu", "¯ĀAāaĒEēeĪIīiŌOōoŪUūu", "˘ĂAăaĔEĕeĞGğgĬIĭiŎOŏoŬUŭu",
            "˙ĊCċcĖEėeĠGġgİIŻZżz", "˝ŐOőoŰUűu", "¸ÇCçcĢGĶKķkĻLļlŅNņnŖRŗrŞSşsŢTţtȘSșsȚTțt", "˛ĄAąaĘEęeĮIįiŲUųu", "ˇČCčcĎDďdĚEěeĽLľlŇNňnŘRřrŠSšsŤTťtŽZžz",
            "/ØOøoĐDđdŁLłlĦHħh",
        ];
        foreach (string line in marks)
        {
            for (int i = 1; i + 1 < line.Length; i += 2) composed.Add(line[i], (line[i + 1].ToString(), line[0]));
        }
        return composed;
    }
}
