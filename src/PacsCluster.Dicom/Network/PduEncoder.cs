using System.Buffers.Binary;
using System.Text;

namespace PacsCluster.Dicom.Network;

/// <summary>Writes the PDUs of PS3.8 section 9.3, but for P-DATA-TF, which <see cref="PdvWriter"/> writes in place.</summary>
public static class PduEncoder
{
    /// <summary>A-ASSOCIATE-RQ, header included.</summary>
    public static byte[] Encode(AssociateRequest pdu)
    {
        var writer = new ItemWriter(PduType.AssociateRequest);
        WriteFixed(ref writer, pdu.ProtocolVersion, pdu.CalledAETitle, pdu.CallingAETitle);
        writer.Text(0x10, pdu.ApplicationContext);
        foreach (ProposedContext context in pdu.Contexts)
        {
            int item = writer.Begin(0x20);
            writer.Bytes([context.Id, 0, 0, 0]);
            writer.Text(0x30, context.AbstractSyntax);
            foreach (string transferSyntax in context.TransferSyntaxes) writer.Text(0x40, transferSyntax);
            writer.End(item);
        }
        WriteUser(ref writer, pdu.User);
        return writer.ToPdu();
    }

    /// <summary>A-ASSOCIATE-AC, header included.</summary>
    public static byte[] Encode(AssociateAccept pdu)
    {
        var writer = new ItemWriter(PduType.AssociateAccept);
        WriteFixed(ref writer, pdu.ProtocolVersion, pdu.CalledAETitle, pdu.CallingAETitle);
        writer.Text(0x10, pdu.ApplicationContext);
        foreach (AnsweredContext context in pdu.Contexts)
        {
            int item = writer.Begin(0x21);
            writer.Bytes([context.Id, 0, (byte)context.Result, 0]);
            writer.Text(0x40, context.TransferSyntax);
            writer.End(item);
        }
        WriteUser(ref writer, pdu.User);
        return writer.ToPdu();
    }

    /// <summary>A-ASSOCIATE-RJ.</summary>
    public static byte[] Encode(AssociateReject pdu) =>
        [(byte)PduType.AssociateReject, 0, 0, 0, 0, 4, 0, (byte)pdu.Result, (byte)((ushort)pdu.Reason >> 8), (byte)pdu.Reason];

    /// <summary>A-ABORT.</summary>
    public static byte[] Encode(Abort pdu) => [(byte)PduType.Abort, 0, 0, 0, 0, 4, 0, 0, (byte)pdu.Source, (byte)pdu.Reason];

    /// <summary>A-RELEASE-RQ.</summary>
    public static byte[] EncodeReleaseRequest() => [(byte)PduType.ReleaseRequest, 0, 0, 0, 0, 4, 0, 0, 0, 0];

    /// <summary>A-RELEASE-RP.</summary>
    public static byte[] EncodeReleaseResponse() => [(byte)PduType.ReleaseResponse, 0, 0, 0, 0, 4, 0, 0, 0, 0];

    private static void WriteFixed(ref ItemWriter writer, ushort version, string called, string calling)
    {
        writer.UInt16(version);
        writer.UInt16(0);
        writer.AETitle(called);
        writer.AETitle(calling);
        writer.Bytes(stackalloc byte[32]);
    }

    private static void WriteUser(ref ItemWriter writer, UserInformation user)
    {
        int all = writer.Begin(0x50);
        int item = writer.Begin(0x51);
        writer.UInt32(user.MaxPduLength);
        writer.End(item);
        if (user.ImplementationClassUid is { } uid) writer.Text(0x52, uid);
        if (user.AsyncWindow is { } window)
        {
            item = writer.Begin(0x53);
            writer.UInt16(window.Invoked);
            writer.UInt16(window.Performed);
            writer.End(item);
        }
        foreach (RoleSelection role in user.Roles)
        {
            item = writer.Begin(0x54);
            writer.ShortText(role.SopClassUid);
            writer.Bytes([role.Scu ? (byte)1 : (byte)0, role.Scp ? (byte)1 : (byte)0]);
            writer.End(item);
        }
        if (user.ImplementationVersionName is { } version) writer.Text(0x55, version);
        foreach (ExtendedNegotiation extended in user.Extended)
        {
            item = writer.Begin(0x56);
            writer.ShortText(extended.SopClassUid);
            writer.Bytes(extended.Information.Span);
            writer.End(item);
        }
        foreach (CommonExtendedNegotiation common in user.CommonExtended) WriteCommon(ref writer, common);
        if (user.Identity is { } identity)
        {
            item = writer.Begin(0x58);
            writer.Bytes([identity.Type, identity.ResponseRequested ? (byte)1 : (byte)0]);
            writer.ShortBytes(identity.Primary.Span);
            writer.ShortBytes(identity.Secondary.Span);
            writer.End(item);
        }
        if (user.IdentityResponse is { } response)
        {
            item = writer.Begin(0x59);
            writer.ShortBytes(response.Span);
            writer.End(item);
        }
        writer.End(all);
    }

    private static void WriteCommon(ref ItemWriter writer, CommonExtendedNegotiation common)
    {
        // The second byte of this item is a version (0), not reserved; Begin writes zero there.
        int item = writer.Begin(0x57);
        writer.ShortText(common.SopClassUid);
        writer.ShortText(common.ServiceClassUid);
        int list = writer.BeginShort();
        foreach (string related in common.RelatedGeneralSopClassUids) writer.ShortText(related);
        writer.EndShort(list);
        writer.End(item);
    }

    /// <summary>A growing PDU with length fields filled in at the end of what they count.</summary>
    private ref struct ItemWriter(PduType type)
    {
        private readonly PduType _type = type;
        private byte[] _bytes = new byte[1024];
        private int _length = PduHeader.Size;

        public int Begin(byte itemType)
        {
            Room(4);
            _bytes[_length] = itemType;
            _bytes[_length + 1] = 0;
            _length += 4;
            return _length;
        }

        public readonly void End(int start) => SetLength(start);

        public int BeginShort()
        {
            Room(2);
            _length += 2;
            return _length;
        }

        public readonly void EndShort(int start) => SetLength(start);

        public void Text(byte itemType, string text)
        {
            int start = Begin(itemType);
            Bytes(Encoding.Latin1.GetBytes(text));
            End(start);
        }

        public void ShortText(string text) => ShortBytes(Encoding.Latin1.GetBytes(text));

        public void ShortBytes(scoped ReadOnlySpan<byte> bytes)
        {
            int start = BeginShort();
            Bytes(bytes);
            EndShort(start);
        }

        public void AETitle(string title)
        {
            if (title.Length > 16) throw new ArgumentException("an AE title has at most 16 characters", nameof(title));
            Room(16);
            Span<byte> field = _bytes.AsSpan(_length, 16);
            field.Fill((byte)' ');
            Encoding.Latin1.GetBytes(title, field);
            _length += 16;
        }

        public void UInt16(ushort value)
        {
            Room(2);
            BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(_length), value);
            _length += 2;
        }

        public void UInt32(uint value)
        {
            Room(4);
            BinaryPrimitives.WriteUInt32BigEndian(_bytes.AsSpan(_length), value);
            _length += 4;
        }

        public void Bytes(scoped ReadOnlySpan<byte> bytes)
        {
            Room(bytes.Length);
            bytes.CopyTo(_bytes.AsSpan(_length));
            _length += bytes.Length;
        }

        public readonly byte[] ToPdu()
        {
            new PduHeader(_type, (uint)(_length - PduHeader.Size)).Write(_bytes);
            return _bytes[.._length];
        }

        private readonly void SetLength(int start)
        {
            int length = _length - start;
            if (length > ushort.MaxValue) throw new ArgumentException("an item of an association PDU has at most 65535 bytes");
            BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(start - 2), (ushort)length);
        }

        private void Room(int count)
        {
            if (_length + count > _bytes.Length) Array.Resize(ref _bytes, Math.Max(_length + count, _bytes.Length * 2));
        }
    }
}
