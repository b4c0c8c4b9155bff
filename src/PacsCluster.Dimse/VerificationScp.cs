using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

/// <summary>Verification Service Class as SCP (PS3.4 annex A): success always, whatever else the caller may do (C-26).</summary>
internal static class VerificationScp
{
    /// <summary>Answers a C-ECHO-RQ.</summary>
    public static async ValueTask<ushort> ServeAsync(DimseConnection connection, DimseMessage message)
    {
        await connection.DrainDataSetAsync();
        await connection.SendAsync(message.Context.Id, message.Command.Respond(DimseStatus.Success));
        return DimseStatus.Success;
    }
}
