using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace PacsCluster.Web;

/// <summary>Lets known callers in (C-94): 401 to who does not say who he is, 403, or by option 404, to who may not do what he asks for. Does nothing where no caller is configured.</summary>
internal sealed class Access(RequestDelegate next, WebOptions options)
{
    private const string Ways = "Bearer realm=\"DICOMweb\"", OtherWay = "Basic realm=\"DICOMweb\", charset=\"UTF-8\"";

    // Digests, so that comparing takes the same time whatever the secrets' lengths are.
    private readonly (CallerOptions Caller, byte[] Digest)[] _callers = [.. options.Access.Callers.Select(c => (c, Digest(c.Secret)))];

    /// <summary>Runs the request, or answers it.</summary>
    public Task InvokeAsync(HttpContext http)
    {
        if (_callers.Length == 0) return next(http);
        if (Find(http.Request.Headers.Authorization.ToString()) is not { } caller)
        {
            http.Response.Headers.WWWAuthenticate = new([Ways, OtherWay]);
            return new Problem(StatusCodes.Status401Unauthorized, "Unauthorized", "The request does not say who sends it, or not with a secret that is known here.", "Send Authorization: Bearer with the secret that the operator gave you.").WriteAsync(http);
        }
        (bool may, string what) = Needed(http.Request, caller);
        if (!may)
        {
            bool hide = options.Access.HideForbidden && http.GetRouteValue("study") is not null && !HttpMethods.IsPost(http.Request.Method);
            return (hide ? Locator.NotHere(http) : new Problem(StatusCodes.Status403Forbidden, "Forbidden", $"This caller may not {what}.", "Ask the operator for that right, or do it as another caller.")).WriteAsync(http);
        }
        http.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, caller.Name)], "secret"));
        return next(http);
    }

    private CallerOptions? Find(string authorization)
    {
        string? name = null;
        string secret;
        if (authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)) secret = authorization[7..].Trim();
        else if (authorization.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase) && ReadBasic(authorization[6..].Trim()) is { } basic) (name, secret) = basic;
        else return null;
        byte[] digest = Digest(secret);
        CallerOptions? found = null;
        // All of them each time: how long it takes tells nothing.
        foreach ((CallerOptions caller, byte[] known) in _callers)
        {
            if (CryptographicOperations.FixedTimeEquals(digest, known)) found = caller;
        }
        return found is null || name is null || string.Equals(name, found.Name, StringComparison.Ordinal) ? found : null;
    }

    private static (string Name, string Secret)? ReadBasic(string base64)
    {
        byte[] bytes = new byte[base64.Length];
        if (!Convert.TryFromBase64String(base64, bytes, out int length)) return null;
        string text = Encoding.UTF8.GetString(bytes, 0, length);
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? null : (text[..colon], text[(colon + 1)..]);
    }

    private (bool May, string What) Needed(HttpRequest request, CallerOptions caller)
    {
        request.Path.StartsWithSegments(options.Path, out PathString resource);
        if (resource.StartsWithSegments("/deletions") || HttpMethods.IsDelete(request.Method) && !resource.StartsWithSegments("/changefeed")) return (caller.Delete, "delete");
        // Readers of the change feed say themselves how far they are.
        bool reads = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || resource.StartsWithSegments("/changefeed");
        return reads ? (caller.Read, "read") : (caller.Store, "store");
    }

    private static byte[] Digest(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
