using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace PacsCluster.Web;

/// <summary>Conditional requests (RFC 9110 13) and ranges (RFC 9110 14).</summary>
internal static class Conditions
{
    /// <summary>How long a client may use an answer without asking: not at all, because studies change; asking costs one round trip by its ETag. What
    /// is answered depends on who asks and on what is accepted (C-80).</summary>
    public static void SetValidators(HttpResponse response, string etag, DateTimeOffset? lastModified = null)
    {
        response.Headers.ETag = $"\"{etag}\"";
        response.Headers.CacheControl = "private, no-cache, no-transform";
        response.Headers.Vary = "Accept, Accept-Encoding, Authorization";
        if (lastModified is { } time) response.Headers.LastModified = HeaderUtilities.FormatDate(time);
    }

    /// <summary>Answers 304 when the client has this already: If-None-Match, and only without one If-Modified-Since. Call after <see cref="SetValidators"/>.</summary>
    /// <returns>True: answered, nothing is to follow.</returns>
    public static bool IsNotModified(HttpContext http, string etag, DateTimeOffset? lastModified = null)
    {
        RequestHeaders request = http.Request.GetTypedHeaders();
        bool same;
        if (http.Request.Headers.IfNoneMatch.Count > 0)
        {
            // The weak comparison: a cache that made our tag weak (it compressed) still has the same content.
            var own = new EntityTagHeaderValue($"\"{etag}\"");
            same = request.IfNoneMatch.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(own, useStrongComparison: false));
        }
        else
        {
            // Dates have whole seconds.
            same = lastModified is { } changed && request.IfModifiedSince is { } since && changed.ToUnixTimeSeconds() <= since.ToUnixTimeSeconds();
        }
        if (same) http.Response.StatusCode = StatusCodes.Status304NotModified;
        return same;
    }

    /// <summary>What part of a representation is wanted. Sets the status and headers of 206 and 416; several ranges at once are answered with the whole,
    /// which RFC 9110 14.2 allows.</summary>
    /// <param name="http">The request; its response has its ETag.</param>
    /// <param name="length">Bytes of the whole representation.</param>
    /// <returns>Null: 416 was set. Else the bytes to send; Content-Length is set.</returns>
    public static (long Offset, long Length)? TakeRange(HttpContext http, long length)
    {
        HttpResponse response = http.Response;
        response.Headers.AcceptRanges = "bytes";
        RequestHeaders request = http.Request.GetTypedHeaders();
        if (request.Range is { } range && range.Unit == "bytes" && range.Ranges.Count == 1 && IsSameAsBefore(request, response))
        {
            RangeItemHeaderValue wanted = range.Ranges.First();
            long from = wanted.From ?? Math.Max(0, length - wanted.To!.Value);
            long to = wanted.From is null ? length - 1 : Math.Min(wanted.To ?? length - 1, length - 1);
            if (from >= length || to < from)
            {
                response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
                response.Headers.ContentRange = $"bytes */{length}";
                return null;
            }
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = $"bytes {from}-{to}/{length}";
            response.ContentLength = to - from + 1;
            return (from, to - from + 1);
        }
        response.ContentLength = length;
        return (0, length);
    }

    // If-Range with another tag than ours: the client's half is of something else, and it needs the whole.
    private static bool IsSameAsBefore(RequestHeaders request, HttpResponse response)
    {
        if (request.IfRange is not { } condition) return true;
        return condition.EntityTag is { } tag && EntityTagHeaderValue.TryParse(response.Headers.ETag.ToString(), out EntityTagHeaderValue? own)
            && tag.Compare(own, useStrongComparison: true);
    }

    /// <summary>A tag for what stands for so many parts: a digest of their names.</summary>
    public static string Digest(IEnumerable<string> names)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string name in names)
        {
            hash.AppendData(MemoryMarshal.AsBytes(name.AsSpan()));
            hash.AppendData([0, 0]);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }
}
