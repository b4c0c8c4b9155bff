using System.Text.Json;
using PacsCluster.Catalog;

namespace PacsCluster.Server.Health;

/// <summary>The HTTP side: <c>/health</c>, which <c>/</c> is too when no viewer is there, <c>/health/live</c>, <c>/health/ready</c>, <c>/metrics</c>.</summary>
internal static class HealthEndpoints
{
    /// <summary>Adds them.</summary>
    public static void MapHealth(this WebApplication web, Node node, Readiness readiness, PrometheusText metrics)
    {
        TimeProvider time = TimeProvider.System;
        DateTimeOffset started = time.GetUtcNow();
        web.MapGet("/health", PageAsync);
        if (node.Options.Http.Viewer.Length == 0) web.MapGet("/", PageAsync);

        // Alive means that this process answers; what it depends on is the business of ready, or an orchestrator would kill it for others' faults.
        web.MapGet("/health/live", (HttpContext http) => WriteAsync(http, 200, new { status = "live" }));
        web.MapGet("/health/ready", async (HttpContext http) =>
        {
            IReadOnlyList<string> faults = await readiness.FaultsAsync(http.RequestAborted);
            IReadOnlyList<string> limits = readiness.Limits();
            await WriteAsync(http, faults.Count == 0 ? 200 : 503, new { status = faults.Count > 0 ? "not ready" : limits.Count > 0 ? "limited" : "ready", reasons = faults.Concat(limits) });
        });
        web.MapGet("/metrics", (HttpContext http) =>
        {
            http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            return http.Response.WriteAsync(metrics.Write(), http.RequestAborted);
        });

        async Task PageAsync(HttpContext http)
        {
            IReadOnlyList<string> faults = await readiness.FaultsAsync(http.RequestAborted);
            http.Response.ContentType = "text/html; charset=utf-8";
            http.Response.Headers.CacheControl = "no-store";
            http.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
            await http.Response.WriteAsync(HealthPage.Write(node.Options, await CountAsync(node, http.RequestAborted), faults, readiness.Limits(), started, time.GetUtcNow()), http.RequestAborted);
        }
    }

    private static async Task<CatalogCounts?> CountAsync(Node node, CancellationToken ct)
    {
        try
        {
            return await node.Catalog.CountAsync(ct);
        }
        catch (CatalogUnavailableException)
        {
            return null;
        }
    }

    private static Task WriteAsync<T>(HttpContext http, int status, T value)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-store";
        return http.Response.WriteAsync(JsonSerializer.Serialize(value), http.RequestAborted);
    }
}
