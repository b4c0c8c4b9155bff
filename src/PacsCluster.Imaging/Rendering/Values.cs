using System.Buffers.Binary;
using System.Globalization;
using PacsCluster.Dicom;

namespace PacsCluster.Imaging.Rendering;

/// <summary>Several numbers of one element.</summary>
internal static class Values
{
    /// <summary>All values of a numeric or text element; an element that holds anything that is no number is empty.</summary>
    public static double[] Doubles(this DataSet dataSet, Tag tag)
    {
        string[] texts = dataSet.GetStrings(tag);
        double[] numbers = new double[texts.Length];
        for (int i = 0; i < texts.Length; i++)
        {
            if (!double.TryParse(texts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i]) || !double.IsFinite(numbers[i])) return [];
        }
        return numbers;
    }

    /// <summary>Value bytes in little endian; empty when absent.</summary>
    public static ReadOnlyMemory<byte> Bytes(this DataSet dataSet, Tag tag) => dataSet.TryGet(tag, out DataElement element) ? element.LittleEndianValue : default;

    /// <summary>Value bytes as 16-bit words, whatever the VR says.</summary>
    public static ushort[] Words(ReadOnlySpan<byte> bytes)
    {
        ushort[] words = new ushort[bytes.Length / 2];
        for (int i = 0; i < words.Length; i++) words[i] = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]);
        return words;
    }
}
