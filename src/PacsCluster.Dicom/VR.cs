namespace PacsCluster.Dicom;

/// <summary>Value Representation (PS3.5 section 6.2). The numeric value is the two ASCII letters, first letter in the high byte.</summary>
public enum VR : ushort
{
#pragma warning disable CS1591 // each name is the standard's own
    /// <summary>No VR: items, delimiters, or not known.</summary>
    None = 0,
    AE = 'A' << 8 | 'E', AS = 'A' << 8 | 'S', AT = 'A' << 8 | 'T', CS = 'C' << 8 | 'S', DA = 'D' << 8 | 'A', DS = 'D' << 8 | 'S',
    DT = 'D' << 8 | 'T', FD = 'F' << 8 | 'D', FL = 'F' << 8 | 'L', IS = 'I' << 8 | 'S', LO = 'L' << 8 | 'O', LT = 'L' << 8 | 'T',
    OB = 'O' << 8 | 'B', OD = 'O' << 8 | 'D', OF = 'O' << 8 | 'F', OL = 'O' << 8 | 'L', OV = 'O' << 8 | 'V', OW = 'O' << 8 | 'W',
    PN = 'P' << 8 | 'N', SH = 'S' << 8 | 'H', SL = 'S' << 8 | 'L', SQ = 'S' << 8 | 'Q', SS = 'S' << 8 | 'S', ST = 'S' << 8 | 'T',
    SV = 'S' << 8 | 'V', TM = 'T' << 8 | 'M', UC = 'U' << 8 | 'C', UI = 'U' << 8 | 'I', UL = 'U' << 8 | 'L', UN = 'U' << 8 | 'N',
    UR = 'U' << 8 | 'R', US = 'U' << 8 | 'S', UT = 'U' << 8 | 'T', UV = 'U' << 8 | 'V',
#pragma warning restore CS1591
}

/// <summary>Facts about the Value Representations that reading and writing need (PS3.5 tables 6.2-1, 7.1-1 and 7.1-2).</summary>
public static class VRs
{
    /// <summary>One of the 34 VRs of the standard.</summary>
    public static bool IsKnown(this VR vr) => vr is VR.AE or VR.AS or VR.AT or VR.CS or VR.DA or VR.DS or VR.DT or VR.FD or VR.FL or VR.IS
        or VR.LO or VR.LT or VR.OB or VR.OD or VR.OF or VR.OL or VR.OV or VR.OW or VR.PN or VR.SH or VR.SL or VR.SQ or VR.SS or VR.ST or VR.SV
        or VR.TM or VR.UC or VR.UI or VR.UL or VR.UN or VR.UR or VR.US or VR.UT or VR.UV;

    /// <summary>In explicit VR: two reserved bytes, then a 32-bit length (PS3.5 table 7.1-1); otherwise a 16-bit length.</summary>
    public static bool HasLongLength(this VR vr) => vr is VR.OB or VR.OD or VR.OF or VR.OL or VR.OV or VR.OW or VR.SQ or VR.SV or VR.UC or VR.UN
        or VR.UR or VR.UT or VR.UV;

    /// <summary>The value is text of one or more characters sets.</summary>
    public static bool IsText(this VR vr) => vr is VR.AE or VR.AS or VR.CS or VR.DA or VR.DS or VR.DT or VR.IS or VR.LO or VR.LT or VR.PN or VR.SH
        or VR.ST or VR.TM or VR.UC or VR.UI or VR.UR or VR.UT;

    /// <summary>Specific Character Set (0008,0005) applies (PS3.5 section 6.1.2.2); other text is the default repertoire.</summary>
    public static bool UsesSpecificCharacterSet(this VR vr) => vr is VR.LO or VR.LT or VR.PN or VR.SH or VR.ST or VR.UC or VR.UT;

    /// <summary>A backslash separates values; in LT, ST, UT and UR it is a character like others.</summary>
    public static bool IsMultiValuedText(this VR vr) => vr.IsText() && vr is not (VR.LT or VR.ST or VR.UT or VR.UR);

    /// <summary>Bulk binary: one value whatever its length (OB OD OF OL OV OW UN).</summary>
    public static bool IsBulk(this VR vr) => vr is VR.OB or VR.OD or VR.OF or VR.OL or VR.OV or VR.OW or VR.UN;

    /// <summary>Bytes of one number as it is swapped between byte orders; 1 where bytes are never swapped. AT swaps as two 16-bit numbers.</summary>
    public static int WordLength(this VR vr) => vr switch
    {
        VR.US or VR.SS or VR.OW or VR.AT => 2,
        VR.UL or VR.SL or VR.FL or VR.OF or VR.OL => 4,
        VR.FD or VR.OD or VR.SV or VR.UV or VR.OV => 8,
        _ => 1,
    };

    /// <summary>The byte that pads a value to even length: space for text, NUL for UI and binary.</summary>
    public static byte Padding(this VR vr) => vr != VR.UI && vr.IsText() ? (byte)' ' : (byte)0;

    /// <summary>The VR of two ASCII bytes as they stand in an explicit VR data set; <see cref="VR.None"/> if they are not a known one.</summary>
    public static VR FromBytes(byte first, byte second)
    {
        var vr = (VR)((first << 8) | second);
        return vr.IsKnown() ? vr : VR.None;
    }
}
