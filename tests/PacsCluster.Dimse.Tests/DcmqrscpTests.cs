using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using PacsCluster.Dicom;
using PacsCluster.Dicom.Network;
using PacsCluster.Testing;

namespace PacsCluster.Dimse.Tests;

/// <summary>C-FIND, C-GET and C-MOVE as Service Class User, with DCMTK's dcmqrscp as the archive.</summary>
public sealed class DcmqrscpTests
{
    private const string SecondaryCapture = "1.2.840.10008.5.1.4.1.1.7";
    private const int Instances = 6;

    private static readonly Tag s_level = new(0x00080052), s_study = new(0x0020000D), s_series = new(0x0020000E), s_instance = new(0x00080018);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task FindGetAndMoveDoTheirWholeJob()
    {
        using var folder = new TempFolder();
        await using TestServer destination = await TestServer.StartAsync();
        using Process archive = await StartAsync(folder, destination.Port, out int port);
        try
        {
            IReadOnlyList<ProposedContext> contexts =
            [
                .. ContextPlan.For(WellKnownUids.StudyRootFind, WellKnownUids.StudyRootMove, WellKnownUids.StudyRootGet),
                new ProposedContext(7, SecondaryCapture, ["1.2.840.10008.1.2.1"]),
            ];
            var options = new DimseClientOptions { CallingAETitle = "US", Roles = [new RoleSelection(SecondaryCapture, true, true)] };
            await using DimseClient client = await DimseClient.ConnectAsync(new DimsePeer("QR", "127.0.0.1", port), contexts, options, Cancel);
            for (int i = 0; i < Instances; i++)
            {
                byte[] dataSet = Instance(i);
                DimseResponse stored = await client.StoreAsync(new StoreMessage
                {
                    Context = client.FindContext(SecondaryCapture)!,
                    SopInstanceUid = $"1.2.3.4.{i + 1}",
                    DataSet = new MemoryStream(dataSet),
                    LengthBytes = dataSet.Length,
                }, Cancel);
                Assert.Equal(DimseStatus.Success, stored.Status);
            }

            var found = new List<DimseResponse>();
            await foreach (DimseResponse response in client.FindAsync(WellKnownUids.StudyRootFind, Keys("IMAGE"), Cancel)) found.Add(response);
            Assert.Equal(Instances + 1, found.Count);
            Assert.Equal(DimseStatus.Success, found[^1].Status);
            Assert.Equal(Instances, found.Take(Instances).Select(response => response.Identifier!.GetString(s_instance)).Distinct().Count());

            // Left early: C-CANCEL goes out, the rest is read, the association goes on.
            await foreach (DimseResponse response in client.FindAsync(WellKnownUids.StudyRootFind, Keys("IMAGE"), Cancel)) break;
            Assert.True(client.IsOpen);

            var received = new List<byte[]>();
            DimseResponse got = await client.GetAsync(WellKnownUids.StudyRootGet, Keys("STUDY"), async (request, _, dataSet, cancellationToken) =>
            {
                var bytes = new MemoryStream();
                await dataSet.CopyToAsync(bytes, cancellationToken);
                received.Add(bytes.ToArray());
                return DimseStatus.Success;
            }, null, Cancel);
            Assert.Equal(DimseStatus.Success, got.Status);
            Assert.Equal(Instances, received.Count);
            Assert.Equal((ushort)Instances, got.Command.Completed);

            int pending = 0;
            DimseResponse moved = await client.MoveAsync(WellKnownUids.StudyRootMove, Keys("STUDY"), "PACSCLUSTER", _ => pending++, Cancel);
            Assert.Equal(DimseStatus.Success, moved.Status);
            Assert.True(pending > 0);
            Assert.Equal(Instances, destination.Stored.Count);
            await client.ReleaseAsync(Cancel);
        }
        finally
        {
            archive.Kill();
            await archive.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static Task<Process> StartAsync(TempFolder folder, int destinationPort, out int port)
    {
        string path = Tool.Find("dcmqrscp") ?? throw Missing.Because("dcmqrscp is not installed: tests/run installs it as root on Debian");
        port = FreePort.Next();
        Directory.CreateDirectory(folder.At("db"));
        string config = folder.At("dcmqrscp.cfg");
        File.WriteAllText(config, $"""
            NetworkTCPPort  = {port}
            MaxPDUSize      = 16384
            MaxAssociations = 16
            HostTable BEGIN
            destination = (PACSCLUSTER, localhost, {destinationPort})
            HostTable END
            VendorTable BEGIN
            VendorTable END
            AETable BEGIN
            QR {folder.At("db")} RW (100, 1024mb) ANY
            AETable END

            """);
        Process process = Tool.Start(path, ["-c", config, "--single-process", port.ToString()]);
        return AwaitPortAsync(process, port);
    }

    private static async Task<Process> AwaitPortAsync(Process process, int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync(IPAddress.Loopback, port, limit.Token);
                return process;
            }
            catch (SocketException)
            {
                Assert.False(process.HasExited, "dcmqrscp ended at once");
                await Task.Delay(20, limit.Token);
            }
        }
    }

    private static DataSet Keys(string level)
    {
        var keys = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        keys.Set(s_level, level);
        keys.Set(s_study, "1.2.3.4");
        if (level == "IMAGE")
        {
            keys.Set(s_series, "1.2.3.4.100");
            keys.Set(s_instance, "");
        }
        return keys;
    }

    private static byte[] Instance(int number)
    {
        var dataSet = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        dataSet.Set(new Tag(0x00080016), SecondaryCapture);
        dataSet.Set(s_instance, $"1.2.3.4.{number + 1}");
        dataSet.Set(new Tag(0x00100010), "Net^Test");
        dataSet.Set(new Tag(0x00100020), "NET1");
        dataSet.Set(s_study, "1.2.3.4");
        dataSet.Set(s_series, "1.2.3.4.100");
        dataSet.SetRaw(new Tag(0x7FE00010), VR.OW, new byte[50_000]);
        return dataSet.ToArray();
    }
}
