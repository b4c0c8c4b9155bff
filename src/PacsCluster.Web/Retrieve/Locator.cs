using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PacsCluster.Catalog;

namespace PacsCluster.Web;

/// <summary>Finds what the path of a request names: <c>studies/{study}/series/{series}/instances/{instance}</c>, or less of it.</summary>
internal sealed class Locator(ICatalog catalog)
{
    // Headers held at once while a study's are walked through. Small, because a slow client keeps them that long.
    private const int HeadersAtOnce = 64;

    /// <summary>The instances, in order of series and instance number. All at once (under 1 KB each), because a slow client must not hold a cursor and
    /// its snapshot open for as long as it takes.</summary>
    /// <exception cref="ProblemException">404: there are none.</exception>
    public async Task<List<InstanceLocation>> InstancesAsync(HttpContext http)
    {
        List<InstanceLocation> found = [];
        await foreach (InstanceLocation one in catalog.LocateAsync(RequestOf(http), http.RequestAborted)) found.Add(one);
        return found.Count > 0 ? found : throw new ProblemException(NotHere(http));
    }

    /// <summary>One instance with its header.</summary>
    /// <exception cref="ProblemException">404: it is not here.</exception>
    public async Task<(InstanceLocation Location, HeaderRow Header)> InstanceAsync(HttpContext http)
    {
        await foreach ((InstanceLocation, HeaderRow) one in catalog.LocateHeadersAsync(RequestOf(http), http.RequestAborted)) return one;
        throw new ProblemException(NotHere(http));
    }

    /// <summary>The headers of instances of one study, in their order; those deleted meanwhile are left out.</summary>
    public async IAsyncEnumerable<(InstanceLocation Location, HeaderRow Header)> HeadersAsync(IReadOnlyList<InstanceLocation> instances, [EnumeratorCancellation] CancellationToken ct)
    {
        foreach (InstanceLocation[] some in instances.Chunk(HeadersAtOnce))
        {
            var request = new LocateRequest { StudyInstanceUids = [some[0].StudyInstanceUid], SopInstanceUids = [.. some.Select(i => i.SopInstanceUid)] };
            Dictionary<long, HeaderRow> headers = [];
            await foreach ((InstanceLocation location, HeaderRow header) in catalog.LocateHeadersAsync(request, ct)) headers[location.InstanceKey] = header;
            foreach (InstanceLocation one in some)
            {
                if (headers.TryGetValue(one.InstanceKey, out HeaderRow? header)) yield return (one, header);
            }
        }
    }

    /// <summary>What the path says.</summary>
    public static LocateRequest RequestOf(HttpContext http) => new()
    {
        StudyInstanceUids = Uids(http, "study"), SeriesInstanceUids = Uids(http, "series"), SopInstanceUids = Uids(http, "instance"),
    };

    /// <summary>The study, series or instance of the path is not here.</summary>
    public static Problem NotHere(HttpContext http)
    {
        string level = http.GetRouteValue("instance") is not null ? "instance" : http.GetRouteValue("series") is not null ? "series" : "study";
        return Problem.NotFound($"There is no such {level} here.", "Search for it: GET studies, studies/{study}/series or studies/{study}/instances says what there is.");
    }

    private static string[] Uids(HttpContext http, string name) => http.GetRouteValue(name) is string uid ? [uid] : [];
}
