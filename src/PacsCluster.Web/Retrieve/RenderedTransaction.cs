using Microsoft.AspNetCore.Http;
using PacsCluster.Catalog;

namespace PacsCluster.Web;

/// <summary>Retrieve of rendered instances and thumbnails (PS3.18 10.4.1.1.3 and 10.4.1.1.4).</summary>
internal sealed class RenderedTransaction(Locator locator)
{
    /// <summary>Answers <c>rendered</c> and <c>thumbnail</c> at each level, and of frames.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        await locator.InstancesAsync(http);
        throw new ProblemException(NotHere);
    }

    /// <summary>Answers WADO-URI's requests for a picture.</summary>
    /// <param name="http">The request, with the parameters of PS3.18 9.1.2.2.</param>
    /// <param name="instance">Of what.</param>
    /// <param name="mediaType">As what, e.g. <c>image/jpeg</c>.</param>
    public static Task SendUriAsync(HttpContext http, InstanceLocation instance, string mediaType) => throw new ProblemException(NotHere);

    private static Problem NotHere => new(StatusCodes.Status406NotAcceptable, "Not acceptable", "This node does not render pictures.", "GET frames or the instance itself (application/dicom) and render it in the client.");
}
