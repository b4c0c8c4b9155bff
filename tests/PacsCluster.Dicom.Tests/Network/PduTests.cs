using System.Text;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dicom.Tests.Network;

public sealed class PduTests
{
    [Fact]
    public void PS3_8_Section_9_3_2_RequestIsLaidOutAsTheStandardHasIt()
    {
        var request = new AssociateRequest
        {
            CalledAETitle = "CALLED",
            CallingAETitle = "CALLING",
            Contexts = [new ProposedContext(1, "1.2.840.10008.1.1", ["1.2.840.10008.1.2"])],
            User = new UserInformation { MaxPduLength = 16384, ImplementationClassUid = "1.2.3", ImplementationVersionName = "V1" },
        };
        byte[] expected =
        [
            0x01, 0, 0, 0, 0, 0xA5, // A-ASSOCIATE-RQ, length
            0, 1, 0, 0, .. "CALLED          "u8, .. "CALLING         "u8, .. new byte[32],
            0x10, 0, 0, 21, .. "1.2.840.10008.3.1.1.1"u8,
            0x20, 0, 0, 46, 1, 0, 0, 0,
            0x30, 0, 0, 17, .. "1.2.840.10008.1.1"u8,
            0x40, 0, 0, 17, .. "1.2.840.10008.1.2"u8,
            0x50, 0, 0, 23,
            0x51, 0, 0, 4, 0, 0, 0x40, 0,
            0x52, 0, 0, 5, .. "1.2.3"u8,
            0x55, 0, 0, 2, .. "V1"u8,
        ];
        expected[5] = (byte)(expected.Length - 6);
        Assert.Equal(expected, PduEncoder.Encode(request));
    }

    [Fact]
    public void RequestsRoundTrip()
    {
        var random = new Random(1);
        for (int i = 0; i < 500; i++)
        {
            AssociateRequest request = AnyRequest(random);
            byte[] bytes = PduEncoder.Encode(request);
            Assert.Equal((uint)bytes.Length - 6, PduHeader.Read(bytes).Length);
            byte[] again = PduEncoder.Encode(PduDecoder.ReadAssociateRequest(bytes.AsSpan(6)));
            Assert.Equal(bytes, again);
        }
    }

    [Fact]
    public void AcceptancesRoundTrip()
    {
        var random = new Random(2);
        for (int i = 0; i < 500; i++)
        {
            AssociateRequest request = AnyRequest(random);
            var accept = new AssociateAccept
            {
                CalledAETitle = request.CalledAETitle,
                CallingAETitle = request.CallingAETitle,
                Contexts = [.. request.Contexts.Select(context => new AnsweredContext(context.Id, (ContextResult)random.Next(5), AnyUid(random)))],
                User = request.User with { Identity = null, CommonExtended = [], IdentityResponse = random.Next(2) == 0 ? null : new byte[random.Next(20)] },
            };
            byte[] bytes = PduEncoder.Encode(accept);
            Assert.Equal(bytes, PduEncoder.Encode(PduDecoder.ReadAssociateAccept(bytes.AsSpan(6))));
        }
    }

    [Fact]
    public void SmallPdusRoundTrip()
    {
        var reject = new AssociateReject(RejectResult.Transient, RejectReason.LocalLimitExceeded);
        Assert.Equal([3, 0, 0, 0, 0, 4, 0, 2, 3, 2], PduEncoder.Encode(reject));
        Assert.Equal(reject, PduDecoder.ReadAssociateReject(PduEncoder.Encode(reject).AsSpan(6)));
        var abort = new Abort(AbortSource.ServiceProvider, AbortReason.UnexpectedPdu);
        Assert.Equal([7, 0, 0, 0, 0, 4, 0, 0, 2, 2], PduEncoder.Encode(abort));
        Assert.Equal(abort, PduDecoder.ReadAbort(PduEncoder.Encode(abort).AsSpan(6)));
        Assert.Equal([5, 0, 0, 0, 0, 4, 0, 0, 0, 0], PduEncoder.EncodeReleaseRequest());
        Assert.Equal([6, 0, 0, 0, 0, 4, 0, 0, 0, 0], PduEncoder.EncodeReleaseResponse());
    }

    [Fact]
    public void C_1_UnknownItemsAndSubItemsAreSkipped()
    {
        var request = new AssociateRequest { CalledAETitle = "A", CallingAETitle = "B", Contexts = [new ProposedContext(1, "1.2", ["1.2.840.10008.1.2"])] };
        byte[] bytes = PduEncoder.Encode(request);
        byte[] body = [.. bytes.AsSpan(6), 0x77, 0, 0, 3, 1, 2, 3];
        Assert.Equal("1.2", Assert.Single(PduDecoder.ReadAssociateRequest(body).Contexts).AbstractSyntax);
    }

    [Fact]
    public void C_4_AETitlePaddingGoesWhateverItIs()
    {
        byte[] body = PduEncoder.Encode(new AssociateRequest { CalledAETitle = "A", CallingAETitle = "B", Contexts = [] })[6..];
        " MOD\0\0 "u8.CopyTo(body.AsSpan(4));
        body.AsSpan(20, 16).Fill((byte)' ');
        AssociateRequest request = PduDecoder.ReadAssociateRequest(body);
        Assert.Equal("MOD", request.CalledAETitle);
        Assert.Equal("", request.CallingAETitle);
    }

    [Fact]
    public void MutatedPdusAreReadOrRefusedAndNothingElse()
    {
        var random = new Random(3);
        for (int i = 0; i < 8_000; i++)
        {
            byte[] body = PduEncoder.Encode(AnyRequest(random))[6..];
            for (int j = random.Next(1, 8); j > 0; j--) body[random.Next(body.Length)] = (byte)random.Next(256);
            ReadOnlySpan<byte> cut = body.AsSpan(0, random.Next(3) == 0 ? random.Next(body.Length) : body.Length);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                AssociateRequest request = PduDecoder.ReadAssociateRequest(cut);
                AssociationPolicyTests.Decide(request);
            }
            catch (DicomFormatException)
            {
                // Refused with a reason.
            }
            try
            {
                PduDecoder.ReadAssociateAccept(cut);
            }
            catch (DicomFormatException)
            {
                // Refused with a reason.
            }
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 100_000 + 200L * cut.Length);
        }
    }

    [Fact]
    public void PdvHeadersAreCheckedAgainstTheirPdu()
    {
        byte[] bytes = new byte[6];
        new PdvHeader(100, 5, 3).Write(bytes);
        Assert.Equal(new PdvHeader(100, 5, 3), PdvHeader.Read(bytes, 106));
        Assert.Throws<DicomFormatException>(() => PdvHeader.Read(bytes, 105));
        Assert.Throws<DicomFormatException>(() => PdvHeader.Read([0, 0, 0, 1, 1, 1], 100));
        Assert.Throws<DicomFormatException>(() => PdvHeader.Read([0xFF, 0xFF, 0xFF, 0xFF, 1, 1], 100));
    }

    [Theory]
    [InlineData(1024, 4096)]
    [InlineData(16384, 131072)]
    [InlineData(int.MaxValue, 131072)]
    public void PdvWriterNeverPassesThePeersMaximumNorItsBuffer(int maxPdu, int bufferBytes)
    {
        var writer = new PdvWriter(new byte[bufferBytes], maxPdu);
        int left = 1_000_000, pdus = 0;
        while (left > 0)
        {
            Memory<byte> room = writer.Begin(512);
            if (room.IsEmpty)
            {
                Check();
                writer.Reset();
                continue;
            }
            int count = Math.Min(room.Length, left);
            left -= count;
            writer.End(3, isCommand: false, isLast: left == 0, count);
            pdus++;
        }
        Check();
        Assert.True(pdus <= 1_000_000 / (Math.Min(maxPdu, bufferBytes) / 2) + 1);

        void Check()
        {
            for (int at = 0; at < writer.Length;)
            {
                var header = PduHeader.Read(writer.Buffer.AsSpan(at));
                Assert.True(header.Length <= maxPdu);
                var pdv = PdvHeader.Read(writer.Buffer.AsSpan(at + 6), header.Length);
                Assert.Equal(header.Length - 6, (uint)pdv.Length);
                Assert.Equal(0, pdv.Length & 1);
                at += 6 + (int)header.Length;
            }
        }
    }

    internal static AssociateRequest AnyRequest(Random random) => new()
    {
        CalledAETitle = AnyText(random, 16),
        CallingAETitle = AnyText(random, 16),
        Contexts = [.. Enumerable.Range(0, random.Next(6)).Select(i =>
            new ProposedContext((byte)(2 * i + 1), AnyUid(random), [.. Enumerable.Range(0, random.Next(4)).Select(_ => AnyUid(random))]))],
        User = new UserInformation
        {
            MaxPduLength = (uint)random.NextInt64(uint.MaxValue),
            ImplementationClassUid = random.Next(4) == 0 ? null : AnyUid(random),
            ImplementationVersionName = random.Next(4) == 0 ? null : AnyText(random, 16),
            AsyncWindow = random.Next(2) == 0 ? null : new AsyncWindow((ushort)random.Next(65536), (ushort)random.Next(65536)),
            Roles = [.. Enumerable.Range(0, random.Next(3)).Select(_ => new RoleSelection(AnyUid(random), random.Next(2) == 0, random.Next(2) == 0))],
            Extended = [.. Enumerable.Range(0, random.Next(3)).Select(_ => new ExtendedNegotiation(AnyUid(random), AnyBytes(random)))],
            CommonExtended = [.. Enumerable.Range(0, random.Next(3)).Select(_ =>
                new CommonExtendedNegotiation(AnyUid(random), AnyUid(random), [.. Enumerable.Range(0, random.Next(3)).Select(_ => AnyUid(random))]))],
            Identity = random.Next(2) == 0 ? null : new UserIdentity((byte)random.Next(1, 6), random.Next(2) == 0, AnyBytes(random), AnyBytes(random)),
        },
    };

    private static byte[] AnyBytes(Random random)
    {
        byte[] bytes = new byte[random.Next(12)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static string AnyUid(Random random) => random.Next(3) switch
    {
        0 => "1.2.840.10008.1.2.1",
        1 => "1.2.840.10008.5.1.4.1.1.2",
        _ => $"1.2.{random.Next()}.{random.Next()}",
    };

    private static string AnyText(Random random, int maxLength)
    {
        var text = new StringBuilder();
        for (int i = random.Next(1, maxLength + 1); i > 0; i--) text.Append((char)random.Next('A', 'Z' + 1));
        return text.ToString();
    }
}
