using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>An attribute as queries name it (PS3.18 8.3.4.1): <c>{attributeID}</c> is a keyword or eight hexadecimal digits; several, joined by points, lead through sequences.</summary>
internal static class AttributePath
{
    /// <summary>Levels of sequences at most.</summary>
    private const int DepthMax = 8;

    /// <summary>Reads one. All but the last must be sequences.</summary>
    public static bool TryParse(string text, out Tag[] path)
    {
        string[] parts = text.Split('.');
        path = new Tag[parts.Length];
        if (parts.Length > DepthMax) return false;
        for (int i = 0; i < parts.Length; i++)
        {
            if (!TryParseOne(parts[i], out path[i])) return false;
            if (i < parts.Length - 1 && DataDictionary.GetVR(path[i]) is not (VR.SQ or VR.UN)) return false;
        }
        return true;
    }

    private static bool TryParseOne(string text, out Tag tag) =>
        (text.Length == 8 && Tag.TryParse(text, out tag)) || DataDictionary.TryGetTag(text, out tag);
}
