using PacsCluster.Dicom;
using PacsCluster.Imaging.Rendering;
using PacsCluster.Testing;

namespace PacsCluster.Imaging.Tests.Rendering;

/// <summary>Grayscale softcopy presentation states (PS3.3 A.33.1, PS3.4 N.2).</summary>
public sealed class PresentationStateTests
{
    private const string Image = "pydicom/src/pydicom/data/test_files/CT_small.dcm";
    private const string Window = "(0028,3110)[0].(0028,1050)=40|(0028,3110)[0].(0028,1051)=400";

    [Theory]
    [InlineData("")]
    [InlineData(Window)]
    [InlineData(Window + "|(2050,0020)=INVERSE")]
    [InlineData("(0070,0042)=90|(0070,0041)=N")]
    [InlineData("(0070,0042)=180|(0070,0041)=Y")]
    [InlineData("(0070,0042)=90|(0070,0041)=Y")]
    [InlineData("(0070,0042)=270|(0070,0041)=Y|" + Window)]
    public async Task Window_shape_rotation_and_flip_are_dcmp2pgms(string edits)
    {
        using var folder = new TempFolder();
        string image = Corpus.File(Image), state = folder.At("state.dcm"), picture = folder.At("picture.pgm");
        Assert.Equal(0, (await Tool.RunAsync("dcmpsmk", [image, state])).ExitCode);
        foreach (string edit in edits.Split('|', StringSplitOptions.RemoveEmptyEntries)) Assert.Equal(0, (await Tool.RunAsync("dcmodify", ["-nb", "-i", edit, state])).ExitCode);
        Assert.Equal(0, (await Tool.RunAsync("dcmp2pgm", ["-p", state, image, picture])).ExitCode);
        using RenderedImage ours = await Pictures.RenderAsync(Image, new RenderRequest { Presentation = PresentationState.Read(Part10.Read(await File.ReadAllBytesAsync(state, TestContext.Current.CancellationToken)).DataSet) });
        Assert.InRange(Pictures.Difference(ours, Pictures.ReadPnm(picture)), 0, 1);
    }

    [Fact]
    public void Each_shape_of_shutter_covers_what_lies_outside_with_its_value()
    {
        Assert.Equal((byte)128, Shuttered(s =>
        {
            s.Set(Tags.ShutterShape, "RECTANGULAR");
            s.Set(Tags.ShutterLeftVerticalEdge, 3);
            s.Set(Tags.ShutterRightVerticalEdge, 7);
            s.Set(Tags.ShutterUpperHorizontalEdge, 2);
            s.Set(Tags.ShutterLowerHorizontalEdge, 9);
            s.Set(Tags.ShutterPresentationValue, 32896);
        }, (column, row) => column is < 3 or > 7 || row is < 2 or > 9));
        Assert.Equal((byte)0, Shuttered(s =>
        {
            s.Set(Tags.ShutterShape, "CIRCULAR");
            s.Set(Tags.CenterOfCircularShutter, "4\\6");
            s.Set(Tags.RadiusOfCircularShutter, 3);
        }, (column, row) => (column - 6) * (column - 6) + (row - 4) * (row - 4) > 9));
        Assert.Equal((byte)0, Shuttered(s =>
        {
            s.Set(Tags.ShutterShape, "POLYGONAL");
            s.Set(Tags.VerticesOfThePolygonalShutter, "1.5\\1.5\\1.5\\8.5\\8.5\\8.5\\8.5\\1.5");
        }, (column, row) => column is < 2 or > 8 || row is < 2 or > 8));
        Assert.Equal((byte)0, Shuttered(s =>
        {
            s.Set(Tags.ShutterShape, "BITMAP");
            s.Set(Tags.ShutterOverlayGroup, 0x6000);
            s.Set(Tags.OverlayRows, 10);
            s.Set(Tags.OverlayColumns, 10);
            s.Set(Tags.OverlayType, "G");
            s.Set(Tags.OverlayOrigin, "1\\1");
            s.Set(Tags.OverlayBitsAllocated, 1);
            s.Set(Tags.OverlayBitPosition, 0);
            // The first twelve pixels in order of rows.
            byte[] bits = new byte[13];
            bits[0] = 0xFF;
            bits[1] = 0x0F;
            s.SetRaw(Tags.OverlayData, VR.OB, bits);
        }, (column, row) => (row - 1) * 10 + column - 1 < 12));
    }

    [Fact]
    public void A_bitmap_of_the_state_is_drawn_only_on_the_layer_that_activates_it()
    {
        DataSet state = NewState();
        state.Set(Tags.OverlayRows, 1);
        state.Set(Tags.OverlayColumns, 2);
        state.Set(Tags.OverlayOrigin, "2\\3");
        state.SetRaw(Tags.OverlayData, VR.OB, new byte[] { 3, 0 });
        Assert.Equal(0, Count(Render(state), 255));
        state.Set(Tags.OverlayActivationLayer, "MARKS");
        RenderedImage picture = Render(state);
        Assert.Equal(2, Count(picture, 255));
        Assert.Equal((255, 255), (picture.Pixels.Span[12], picture.Pixels.Span[13]));
    }

    [Fact]
    public void The_displayed_area_is_what_the_picture_shows_also_beyond_the_frame()
    {
        DataSet state = NewState();
        DataSet area = state.NewItem();
        area.Set(Tags.DisplayedAreaTopLeftHandCorner, "0\\3");
        area.Set(Tags.DisplayedAreaBottomRightHandCorner, "4\\12");
        area.Set(Tags.PresentationSizeMode, "SCALE TO FIT");
        state.SetItems(Tags.DisplayedAreaSelectionSequence, [area]);
        RenderedImage picture = Render(state);
        Assert.Equal((5, 10), (picture.Width, picture.Height));
        // Column 0 and rows 11 and 12 are no image.
        for (int y = 0; y < 10; y++)
        {
            for (int x = 0; x < 5; x++) Assert.Equal(x == 0 || y > 7 ? 0 : 200, picture.Pixels.Span[5 * y + x]);
        }
    }

    [Fact]
    public void Graphics_are_for_the_images_that_they_name_and_lie_where_they_say()
    {
        DataSet state = NewState();
        DataSet annotation = state.NewItem(), line = state.NewItem(), reference = state.NewItem();
        line.Set(Tags.GraphicAnnotationUnits, "PIXEL");
        line.Set(Tags.GraphicType, "POLYLINE");
        line.Set(Tags.GraphicData, "0\\4.5\\10\\4.5");
        annotation.SetItems(Tags.GraphicObjectSequence, [line]);
        reference.Set(Tags.ReferencedSOPInstanceUID, "1.2.3");
        annotation.SetItems(Tags.ReferencedImageSequence, [reference]);
        state.SetItems(Tags.GraphicAnnotationSequence, [annotation]);
        RenderedImage picture = Render(state);
        for (int y = 0; y < 10; y++) Assert.Equal(y == 4 ? 255 : 200, picture.Pixels.Span[10 * y + 5]);
        reference.Set(Tags.ReferencedSOPInstanceUID, "9.9");
        Assert.Equal(0, Count(Render(state), 255));
    }

    private static byte Shuttered(Action<DataSet> shutter, Func<int, int, bool> isCovered)
    {
        DataSet state = NewState();
        shutter(state);
        ReadOnlySpan<byte> pixels = Render(state).Pixels.Span;
        byte cover = pixels[0];
        for (int i = 0; i < 100; i++) Assert.Equal(isCovered(i % 10 + 1, i / 10 + 1) ? cover : 200, pixels[i]);
        return cover;
    }

    private static DataSet NewState()
    {
        var state = new DataSet();
        state.Set(Tags.SOPClassUID, "1.2.840.10008.5.1.4.1.1.11.1");
        state.Set(Tags.PresentationLUTShape, "IDENTITY");
        DataSet voi = state.NewItem();
        voi.Set(Tags.WindowCenter, "128");
        voi.Set(Tags.WindowWidth, "256");
        state.SetItems(Tags.SoftcopyVOILUTSequence, [voi]);
        return state;
    }

    private static RenderedImage Render(DataSet state)
    {
        short[] values = new short[100];
        Array.Fill(values, (short)200);
        (DataSet image, DecodedFrame frame) = Pictures.Gray(10, values);
        return Renderer.Render(image, 0, frame, new RenderRequest { Presentation = PresentationState.Read(state) });
    }

    private static int Count(RenderedImage picture, byte value) => picture.Pixels.Span.Count(value);
}
