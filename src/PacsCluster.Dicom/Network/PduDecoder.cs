using System.Buffers.Binary;
using System.Text;

namespace PacsCluster.Dicom.Network;

/// <summary>Reads the PDUs of PS3.8 section 9.3. The methods take the body, that is what follows the six bytes of <see cref="PduHeader"/>;
/// whoever holds the socket checks type and length before it makes room for a body (C-1). Unknown items and sub-items are skipped.</summary>
public static class PduDecoder
{
    /// <summary>Smallest body of an association PDU: version, reserved, two AE titles, 32 reserved bytes.</summary>
    public const int AssociateFixedBytes = 68;

    /// <summary>A-ASSOCIATE-RQ.</summary>
    /// <exception cref="DicomFormatException">A length passes the end of what holds it, or a required item is missing.</exception>
    public static AssociateRequest ReadAssociateRequest(ReadOnlySpan<byte> body)
    {
        Fixed head = ReadFixed(body);
        var contexts = new List<ProposedContext>();
        string applicationContext = "";
        UserInformation user = s_noUser;
        var items = new ItemReader(body[AssociateFixedBytes..], AssociateFixedBytes);
        while (items.Next(out byte type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case 0x10: applicationContext = Uid(value); break;
                case 0x20: contexts.Add(ReadProposed(value, items.ValueOffset)); break;
                case 0x50: user = ReadUser(value, items.ValueOffset); break;
            }
        }
        return new AssociateRequest
        {
            ProtocolVersion = head.Version,
            CalledAETitle = head.Called,
            CallingAETitle = head.Calling,
            ApplicationContext = applicationContext,
            Contexts = contexts,
            User = user,
        };
    }

    /// <summary>A-ASSOCIATE-AC.</summary>
    /// <exception cref="DicomFormatException">A length passes the end of what holds it.</exception>
    public static AssociateAccept ReadAssociateAccept(ReadOnlySpan<byte> body)
    {
        Fixed head = ReadFixed(body);
        var contexts = new List<AnsweredContext>();
        string applicationContext = "";
        UserInformation user = s_noUser;
        var items = new ItemReader(body[AssociateFixedBytes..], AssociateFixedBytes);
        while (items.Next(out byte type, out ReadOnlySpan<byte> value))
        {
            switch (type)
            {
                case 0x10: applicationContext = Uid(value); break;
                case 0x21: contexts.Add(ReadAnswered(value, items.ValueOffset)); break;
                case 0x50: user = ReadUser(value, items.ValueOffset); break;
            }
        }
        return new AssociateAccept
        {
            ProtocolVersion = head.Version,
            CalledAETitle = head.Called,
            CallingAETitle = head.Calling,
            ApplicationContext = applicationContext,
            Contexts = contexts,
            User = user,
        };
    }

    /// <summary>A-ASSOCIATE-RJ: four bytes.</summary>
    public static AssociateReject ReadAssociateReject(ReadOnlySpan<byte> body)
    {
        if (body.Length < 4) throw new DicomFormatException("an A-ASSOCIATE-RJ shorter than 4 bytes");
        return new AssociateReject((RejectResult)body[1], (RejectReason)((body[2] << 8) | body[3]));
    }

    /// <summary>A-ABORT: four bytes.</summary>
    public static Abort ReadAbort(ReadOnlySpan<byte> body)
    {
        if (body.Length < 4) throw new DicomFormatException("an A-ABORT shorter than 4 bytes");
        return new Abort((AbortSource)body[2], (AbortReason)body[3]);
    }

    private static readonly UserInformation s_noUser = new() { ImplementationClassUid = null, ImplementationVersionName = null };

    private readonly record struct Fixed(ushort Version, string Called, string Calling);

    private static Fixed ReadFixed(ReadOnlySpan<byte> body)
    {
        if (body.Length < AssociateFixedBytes) throw new DicomFormatException("an association PDU shorter than its fixed fields", body.Length);
        return new Fixed(BinaryPrimitives.ReadUInt16BigEndian(body), AETitle(body.Slice(4, 16)), AETitle(body.Slice(20, 16)));
    }

    // Some peers pad with NUL; both kinds of padding go, whatever stands inside stays and is judged by the policy.
    private static string AETitle(ReadOnlySpan<byte> field) => Encoding.Latin1.GetString(field).TrimEnd('\0', ' ').TrimStart(' ');

    private static string Uid(ReadOnlySpan<byte> value) => Encoding.Latin1.GetString(value).TrimEnd('\0', ' ').TrimStart(' ');

    private static ProposedContext ReadProposed(ReadOnlySpan<byte> value, int offset)
    {
        if (value.Length < 4) throw new DicomFormatException("a presentation context item shorter than 4 bytes", offset);
        string abstractSyntax = "";
        var transferSyntaxes = new List<string>(4);
        var items = new ItemReader(value[4..], offset + 4);
        while (items.Next(out byte type, out ReadOnlySpan<byte> item))
        {
            if (type == 0x30) abstractSyntax = Uid(item);
            else if (type == 0x40) transferSyntaxes.Add(Uid(item));
        }
        return new ProposedContext(value[0], abstractSyntax, transferSyntaxes);
    }

    private static AnsweredContext ReadAnswered(ReadOnlySpan<byte> value, int offset)
    {
        if (value.Length < 4) throw new DicomFormatException("a presentation context item shorter than 4 bytes", offset);
        string transferSyntax = "";
        var items = new ItemReader(value[4..], offset + 4);
        while (items.Next(out byte type, out ReadOnlySpan<byte> item))
        {
            if (type == 0x40) transferSyntax = Uid(item);
        }
        return new AnsweredContext(value[0], (ContextResult)value[2], transferSyntax);
    }

    private static UserInformation ReadUser(ReadOnlySpan<byte> value, int offset)
    {
        var user = new UserBuilder();
        var items = new ItemReader(value, offset);
        while (items.Next(out byte type, out ReadOnlySpan<byte> item)) user.Add(type, item, items.ValueOffset);
        return user.Build();
    }

    /// <summary>Collects the sub-items of user information; of those that may come once, the last one counts.</summary>
    private sealed class UserBuilder
    {
        private readonly List<RoleSelection> _roles = [];
        private readonly List<ExtendedNegotiation> _extended = [];
        private readonly List<CommonExtendedNegotiation> _common = [];
        private UserInformation _user = s_noUser;

        public void Add(byte type, ReadOnlySpan<byte> item, int offset)
        {
            var fields = new FieldReader(item, offset);
            switch (type)
            {
                case 0x51: _user = _user with { MaxPduLength = fields.UInt32() }; break;
                case 0x52: _user = _user with { ImplementationClassUid = Uid(item) }; break;
                case 0x53: _user = _user with { AsyncWindow = new AsyncWindow(fields.UInt16(), fields.UInt16()) }; break;
                case 0x54: _roles.Add(new RoleSelection(Uid(fields.Short()), fields.Byte() != 0, fields.Byte() != 0)); break;
                case 0x55: _user = _user with { ImplementationVersionName = Uid(item) }; break;
                case 0x56: _extended.Add(new ExtendedNegotiation(Uid(fields.Short()), fields.Rest().ToArray())); break;
                case 0x57: _common.Add(ReadCommon(ref fields)); break;
                case 0x58:
                    _user = _user with
                    {
                        Identity = new UserIdentity(fields.Byte(), fields.Byte() != 0, fields.Short().ToArray(), fields.Short().ToArray()),
                    };
                    break;
                case 0x59: _user = _user with { IdentityResponse = fields.Short().ToArray() }; break;
            }
        }

        public UserInformation Build() => _user with { Roles = _roles, Extended = _extended, CommonExtended = _common };

        private static CommonExtendedNegotiation ReadCommon(ref FieldReader fields)
        {
            string sopClass = Uid(fields.Short());
            string serviceClass = Uid(fields.Short());
            var related = new List<string>();
            // The list is optional in the field: a sender without related classes may leave even its length out.
            if (!fields.AtEnd)
            {
                var list = new FieldReader(fields.Short(), fields.Offset);
                while (!list.AtEnd) related.Add(Uid(list.Short()));
            }
            return new CommonExtendedNegotiation(sopClass, serviceClass, related);
        }
    }

    /// <summary>Items of one-byte type, one reserved byte, 16-bit length (PS3.8 section 9.3.1).</summary>
    private ref struct ItemReader(ReadOnlySpan<byte> bytes, int offset)
    {
        private ReadOnlySpan<byte> _rest = bytes;
        private int _offset = offset;

        public int ValueOffset { get; private set; }

        public bool Next(out byte type, out ReadOnlySpan<byte> value)
        {
            type = 0;
            value = default;
            if (_rest.IsEmpty) return false;
            if (_rest.Length < 4) throw new DicomFormatException("an item shorter than its header", _offset);
            int length = BinaryPrimitives.ReadUInt16BigEndian(_rest[2..]);
            if (length > _rest.Length - 4) throw new DicomFormatException("the length of an item passes the end of what holds it", _offset);
            type = _rest[0];
            value = _rest.Slice(4, length);
            ValueOffset = _offset + 4;
            _rest = _rest[(4 + length)..];
            _offset += 4 + length;
            return true;
        }
    }

    private ref struct FieldReader(ReadOnlySpan<byte> bytes, int offset)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public int Offset { get; private set; } = offset;

        public readonly bool AtEnd => _rest.IsEmpty;

        public byte Byte() => Take(1)[0];

        public ushort UInt16() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));

        public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));

        public ReadOnlySpan<byte> Short() => Take(UInt16());

        public ReadOnlySpan<byte> Rest() => Take(_rest.Length);

        private ReadOnlySpan<byte> Take(int count)
        {
            if (count > _rest.Length) throw new DicomFormatException("a field passes the end of its item", Offset);
            ReadOnlySpan<byte> taken = _rest[..count];
            _rest = _rest[count..];
            Offset += count;
            return taken;
        }
    }
}
