using System.Collections.Concurrent;
using System.Globalization;
using PacsCluster.Dicom;
using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>Every image of the corpus that dcmj2pnm renders from losslessly stored pixels, within one grey level of it.</summary>
public sealed class DcmtkPictureTests
{
    // Files that differ, each with the reason. A file that no longer differs fails the test too.
    private static readonly Dictionary<string, string> s_exceptions = new()
    {
        ["dcm4che/dcm4che-test-data/src/main/resources/YBR_FULL-RLE.dcm"] = "DCMTK truncates each term of the colour conversion; ours is the rounded one",
        ["dcm_qa_enh/In/Philips/IM_0027_fMAP.dcm"] = "DCMTK does not apply the rescale of functional groups",
        ["dicomParser/testImages/CT1_UNC.explicit_big_endian.dcm"] = "without a window: padding of -2000 counts for none of ours, for DCMTK's it does",
        ["dicomParser/testImages/CT1_UNC.explicit_little_endian.dcm"] = "the same image",
        ["dicomParser/testImages/CT1_UNC.implicit_little_endian.dcm"] = "the same image",
        ["highdicom/data/test_files/seg_image_sm_control_labelmap.dcm"] = "without a window: its background is declared as padding",
        ["pydicom-data/data_store/data/SC_ybr_full_uncompressed.dcm"] = "DCMTK truncates each term of the colour conversion; ours is the rounded one",
    };

    private static readonly HashSet<string> s_lossless =
    [
        "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5",
    ];

    [Fact]
    public async Task A_picture_is_within_one_level_of_dcmj2pnm()
    {
        if (Tool.Find("dcmj2pnm") is null) throw Missing.Because("dcmj2pnm is not installed: tests/run installs dcmtk");
        using var folder = new TempFolder();
        var differing = new ConcurrentDictionary<string, string>();
        int judged = 0;
        await Parallel.ForEachAsync(Corpus.Files().Where(f => !f.Contains("/malformed/", StringComparison.Ordinal)), TestContext.Current.CancellationToken, async (file, _) =>
        {
            if (Pictures.Open(file) is not { } image || !s_lossless.Contains(image.TransferSyntaxUid)) return;
            (DataSet dataSet, string uid) = image;
            if (!HasFrames(dataSet, uid)) return;
            string output = folder.At(Guid.NewGuid().ToString("N") + ".pnm");
            await Tool.RunAsync("dcmj2pnm", ["+op", .. Window(dataSet), file, output]);
            if (!File.Exists(output) || new FileInfo(output).Length == 0) return;
            Interlocked.Increment(ref judged);
            string name = Path.GetRelativePath(Corpus.Root, file);
            try
            {
                using RenderedImage ours = await Pictures.RenderAsync(dataSet, uid);
                int difference = Pictures.Difference(ours, Pictures.ReadPnm(output));
                if (difference is < 0 or > 1) differing[name] = difference < 0 ? $"{ours.Width} × {ours.Height} × {ours.Samples}" : $"{difference} levels";
            }
            catch (ImagingException e)
            {
                differing[name] = e.Message;
            }
            File.Delete(output);
        });
        Assert.True(judged > 200, $"{judged} pictures judged");
        string[] unexplained = [.. differing.Where(d => !s_exceptions.ContainsKey(d.Key)).Select(d => $"{d.Key}: {d.Value}").Order()];
        Assert.True(unexplained.Length == 0, string.Join('\n', unexplained));
        Assert.Empty(s_exceptions.Keys.Except(differing.Keys));
    }

    /// <summary>Which frames can be read at all is judged where frames are decoded.</summary>
    private static bool HasFrames(DataSet dataSet, string uid)
    {
        try
        {
            return new FrameReader(dataSet, uid).Count > 0;
        }
        catch (ImagingException)
        {
            return false;
        }
    }

    /// <summary>What DCMTK has to be told: it shows everything unless told, and knows no functional groups.</summary>
    private static string[] Window(DataSet dataSet)
    {
        VoiTransform? voi = VoiTransform.Of(new FrameAttributes(dataSet, 0));
        if (voi is null) return ["+Wm"];
        if (voi.Window is not { } window) return ["+Wl", "1"];
        if (dataSet.Contains(Tags.WindowCenter)) return ["+Wi", "1"];
        return ["+Ww", window.Center.ToString(CultureInfo.InvariantCulture), window.Width.ToString(CultureInfo.InvariantCulture)];
    }
}
