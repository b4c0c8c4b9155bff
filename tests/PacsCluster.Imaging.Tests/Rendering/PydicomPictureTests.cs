using System.Buffers.Binary;
using PacsCluster.Dicom;
using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>Lookup tables and windows against pydicom's apply_modality_lut and apply_voi_lut, palettes against its apply_color_lut.</summary>
public sealed class PydicomPictureTests
{
    // Writes greys from 0 to 1 as float64, the way pydicom defines its output range.
    private const string GreyScript = """
        import sys, warnings, numpy as np, pydicom
        warnings.filterwarnings('ignore')
        from pydicom.pixel_data_handlers.util import apply_modality_lut, apply_voi_lut
        ds = pydicom.dcmread(sys.argv[1], force=True)
        if sys.argv[3]: ds.VOILUTFunction = sys.argv[3]
        stored = ds.pixel_array
        # pydicom leaves in what stands above Bits Stored, where the sign should be.
        if ds.PixelRepresentation == 1:
            unused = ds.BitsAllocated - ds.BitsStored
            stored = (stored << unused) >> unused
        values = apply_modality_lut(stored, ds)
        out = np.asarray(apply_voi_lut(values, ds)).astype('f8')
        if 'VOILUTSequence' in ds:
            low, high = 0, 2 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
        else:
            signed = ds.PixelRepresentation == 1
            if 'ModalityLUTSequence' in ds: low, high = 0, 2 ** ds.ModalityLUTSequence[0].LUTDescriptor[2] - 1
            elif signed: low, high = -(2 ** (ds.BitsStored - 1)), 2 ** (ds.BitsStored - 1) - 1
            else: low, high = 0, 2 ** ds.BitsStored - 1
            if 'ModalityLUTSequence' not in ds and ds.get('RescaleSlope') is not None:
                low, high = [v * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for v in (low, high)]
        ((out - low) / (high - low)).astype('<f8').tofile(sys.argv[2])
        """;

    private const string PaletteScript = """
        import sys, numpy as np, pydicom
        from pydicom.pixel_data_handlers.util import apply_color_lut
        ds = pydicom.dcmread(sys.argv[1], force=True)
        out = apply_color_lut(np.arange(256, dtype='u1').reshape(1, 256), ds)
        out.astype('<u2').tofile(sys.argv[2])
        """;

    [Theory]
    [InlineData("pydicom-data/data_store/data/mlut_18.dcm", "")]
    [InlineData("pydicom-data/data_store/data/vlut_04.dcm", "")]
    [InlineData("pydicom-data/data_store/data/MR-SIEMENS-DICOM-WithOverlays.dcm", "")]
    [InlineData("pydicom-data/data_store/data/MR-SIEMENS-DICOM-WithOverlays.dcm", "LINEAR_EXACT")]
    [InlineData("pydicom-data/data_store/data/MR-SIEMENS-DICOM-WithOverlays.dcm", "SIGMOID")]
    public async Task Modality_and_voi_transformations_are_pydicoms(string path, string function)
    {
        using var folder = new TempFolder();
        string output = folder.At("greys");
        await Pictures.PythonAsync(GreyScript, Corpus.File(path), output, function);
        byte[] greys = await File.ReadAllBytesAsync(output, TestContext.Current.CancellationToken);
        (DataSet dataSet, string uid) = Pictures.Open(Corpus.File(path))!.Value;
        if (function.Length > 0) dataSet.Set(Tags.VOILUTFunction, function);
        // Without a view pydicom shows the whole range that the Modality LUT can have.
        VoiWindow? whole = VoiTransform.Of(new FrameAttributes(dataSet, 0)) is null ? new VoiWindow(32767.5, 65535, VoiFunction.LinearExact) : null;
        // pydicom knows neither overlays nor padding.
        dataSet.Remove(Tags.PixelPaddingValue);
        using RenderedImage ours = await Pictures.RenderAsync(dataSet, uid, new RenderRequest { ShowsOverlays = false, Bits = 16, Window = whole });
        Assert.Equal(greys.Length / 8, ours.Pixels.Length / 2);
        for (int i = 0; i < greys.Length / 8; i++)
        {
            double theirs = BinaryPrimitives.ReadDoubleLittleEndian(greys.AsSpan(8 * i)) * 65535;
            Assert.InRange(BitConverter.ToUInt16(ours.Pixels.Span[(2 * i)..]), theirs - 1, theirs + 1);
        }
    }

    [Theory]
    [InlineData("hotiron")]
    [InlineData("pet")]
    [InlineData("hotmetalblue")]
    [InlineData("pet20step")]
    [InlineData("spring")]
    [InlineData("summer")]
    [InlineData("fall")]
    [InlineData("winter")]
    public async Task A_palette_also_a_segmented_one_is_pydicoms(string name)
    {
        string path = Corpus.File($"pydicom/src/pydicom/data/palettes/{name}.dcm");
        using var folder = new TempFolder();
        await Pictures.PythonAsync(PaletteScript, path, folder.At("colors"));
        ushort[] theirs = Values.Words(await File.ReadAllBytesAsync(folder.At("colors"), TestContext.Current.CancellationToken));
        Palette ours = Palette.Read(Part10.Read(await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken)).DataSet)!;
        Assert.Equal([.. theirs.Select(v => (byte)v)], ours.Colors(0, 255));
    }
}
