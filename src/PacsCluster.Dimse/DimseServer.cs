using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using PacsCluster.Engine;

namespace PacsCluster.Dimse;

/// <summary>Puts the DICOM application entity into a host: services first, then a listener on Kestrel.</summary>
public static class DimseServer
{
    /// <summary>Adds the DICOM services. The host must have an <see cref="Ingest"/>; with an ICatalog and a <see cref="Retrieve"/> it offers Query/Retrieve too.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="options">Valid options: see <see cref="DimseOptions.Validate"/>.</param>
    public static IServiceCollection AddPacsDimse(this IServiceCollection services, DimseOptions options)
    {
        AddCore(services, options);
        services.AddSingleton<StoreFunction>(provider => provider.GetRequiredService<Ingest>().StoreAsync);
        return services;
    }

    /// <summary>All but where stored instances go.</summary>
    internal static void AddCore(IServiceCollection services, DimseOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton<AssociationLimits>();
        services.AddSingleton<AcceptorRulesBuilder>();
        services.AddSingleton<StorageScp>();
        services.AddSingleton<QueryRetrieveScp>();
        services.AddSingleton<DimseConnectionHandler>();
        services.AddSingleton<IConnectionListenerFactory, DicomTransportFactory>();
    }

    /// <summary>Listens for associations on the options' address and port.</summary>
    /// <returns>The end point; after the host's start, <see cref="ListenOptions.EndPoint"/> given to a <paramref name="configure"/> has the port really bound.</returns>
    public static void ListenDicom(this KestrelServerOptions kestrel, DimseOptions options, Action<ListenOptions>? configure = null)
    {
        var endPoint = new DicomEndPoint(new IPEndPoint(IPAddress.Parse(options.BindAddress), options.Port));
        kestrel.Listen(endPoint, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            configure?.Invoke(listen);
            listen.UseConnectionHandler<DimseConnectionHandler>();
        });
    }
}
