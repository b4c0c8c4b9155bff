using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Red, Green and Blue Palette Color Lookup Tables (PS3.3 C.7.6.3.1.5, C.7.9).</summary>
internal sealed record Palette(LookupTable Red, LookupTable Green, LookupTable Blue)
{
    /// <summary>Reads an image's or a presentation state's; null when it has none.</summary>
    /// <exception cref="ImagingException">Corrupt: tables that are none.</exception>
    public static Palette? Read(DataSet dataSet)
    {
        LookupTable? red = LookupTable.Read(dataSet, Tags.RedPaletteColorLookupTableDescriptor, Tags.RedPaletteColorLookupTableData, Tags.SegmentedRedPaletteColorLookupTableData);
        LookupTable? green = LookupTable.Read(dataSet, Tags.GreenPaletteColorLookupTableDescriptor, Tags.GreenPaletteColorLookupTableData, Tags.SegmentedGreenPaletteColorLookupTableData);
        LookupTable? blue = LookupTable.Read(dataSet, Tags.BluePaletteColorLookupTableDescriptor, Tags.BluePaletteColorLookupTableData, Tags.SegmentedBluePaletteColorLookupTableData);
        return red is null || green is null || blue is null ? null : new Palette(red, green, blue);
    }

    /// <summary>How many entries.</summary>
    public int Count => Red.Count;

    /// <summary>First value mapped.</summary>
    public int FirstMapped => Red.FirstMapped;

    /// <summary>The colours of values from <paramref name="least"/> to <paramref name="greatest"/>, three bytes each.</summary>
    public byte[] Colors(int least, int greatest)
    {
        byte[] colors = new byte[3 * (greatest - least + 1)];
        for (int value = least, at = 0; value <= greatest; value++)
        {
            colors[at++] = Level(Red, value);
            colors[at++] = Level(Green, value);
            colors[at++] = Level(Blue, value);
        }
        return colors;
    }

    private static byte Level(LookupTable table, int value) => table.Bits >= 8 ? (byte)(table[value] >> (table.Bits - 8)) : (byte)(table[value] * 255 / table.Max);
}
