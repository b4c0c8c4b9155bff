using System.Net;
using System.Text;
using PacsCluster.Dicom;

namespace PacsCluster.Web.Tests;

public sealed class WadoUriTests
{
    [Fact]
    public async Task C_85_the_instance_as_it_is_asked_for()
    {
        await using WebServer server = await WebServer.StartAsync();
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid(), encoding: TransferSyntax.ImplicitVRLittleEndian);
        byte[] file = Made.File(image, TransferSyntax.ImplicitVRLittleEndian);
        await server.StoreAsync(file);
        string study = image.GetString(Tags.StudyInstanceUID)!, series = image.GetString(Tags.SeriesInstanceUID)!, instance = image.GetString(Tags.SOPInstanceUID)!;
        string url = $"wado?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}";
        // As Weasis asks.
        byte[] explicitVR = await server.GetBytesAsync(url + "&contentType=application%2Fdicom");
        Assert.Equal(TransferSyntax.ExplicitVRLittleEndian, Part10.ReadStart(explicitVR).TransferSyntax);
        byte[] stored = await server.GetBytesAsync(url + "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2");
        Assert.Equal(Encoding.Latin1.GetString(Made.DataSetOf(file)), Encoding.Latin1.GetString(Made.DataSetOf(stored)));
        using HttpResponseMessage response = await server.GetAsync(url + "&contentType=application/dicom&transferSyntax=*");
        Assert.Equal("application/dicom; transfer-syntax=1.2.840.10008.1.2", response.Content.Headers.ContentType!.ToString());

        await server.ProblemAsync(HttpStatusCode.BadRequest, $"wado?requestType=GET&studyUID={study}&seriesUID={series}&objectUID={instance}");
        await server.ProblemAsync(HttpStatusCode.BadRequest, $"wado?requestType=WADO&objectUID={instance}&contentType=application/dicom");
        await server.ProblemAsync(HttpStatusCode.NotFound, url.Replace(instance, "1.2.3", StringComparison.Ordinal));
        await server.ProblemAsync(HttpStatusCode.NotAcceptable, url + "&contentType=audio/mpeg");
        Assert.Contains("de-identified", await server.ProblemAsync(HttpStatusCode.NotAcceptable, url + "&contentType=application/dicom&anonymize=yes"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task C_85_by_object_alone_where_the_option_says_so()
    {
        await using WebServer server = await WebServer.StartAsync(new WebOptions { WadoUriByObjectAlone = true });
        DataSet image = Made.Image(Made.NewUid(), Made.NewUid());
        await server.StoreAsync(Made.File(image));
        Assert.NotEmpty(await server.GetBytesAsync($"wado?requestType=WADO&objectUID={image.GetString(Tags.SOPInstanceUID)}&contentType=application/dicom"));
    }
}
