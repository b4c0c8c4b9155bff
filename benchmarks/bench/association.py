"""A small association client in pure Python: C-ECHO, C-FIND and C-STORE on an open association, the same against every server."""
import socket
import struct

VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT_LE = "1.2.840.10008.1.2"


def implicit(group, number, value):
    if len(value) & 1:
        value += b" "
    return struct.pack("<HHI", group, number, len(value)) + value


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


class Association:
    def __init__(self, port, called, calling="BENCHMARK", sop_class=STUDY_ROOT_FIND, timeout=60, transfer_syntax=IMPLICIT_LE):
        self.sop_class = sop_class
        self.message_id = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        context = item(0x20, b"\1\0\0\0" + item(0x30, sop_class.encode()) + item(0x40, transfer_syntax.encode()))
        user = item(0x50, item(0x51, struct.pack(">I", 131072)) + item(0x52, b"2.25.1") + item(0x55, b"BENCHMARK"))
        body = (struct.pack(">HH", 1, 0) + called.encode().ljust(16) + calling.encode().ljust(16) + b"\0" * 32
                + item(0x10, b"1.2.840.10008.3.1.1.1") + context + user)
        self.socket.sendall(struct.pack(">BBI", 1, 0, len(body)) + body)
        kind, body = self.read_pdu()
        if kind != 2:
            raise ConnectionError("association not accepted: PDU type %d" % kind)
        if b"\x21\0" not in body or body[body.index(b"\x21\0") + 6] != 0:
            raise ConnectionError("presentation context not accepted")
        # What the peer reads at once (PS3.8 D.1); 0 is no limit.
        at = body.find(b"\x51\0\0\4")
        self.peer_max_pdu = (struct.unpack_from(">I", body, at + 4)[0] if at >= 0 else 0) or 131072

    def read_exactly(self, count):
        while len(self.buffer) < count:
            got = self.socket.recv(262144)
            if not got:
                raise ConnectionError("closed by the peer")
            self.buffer += got
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def read_pdu(self):
        kind, _, length = struct.unpack(">BBI", self.read_exactly(6))
        return kind, self.read_exactly(length)

    def fragments(self):
        """The next presentation data values: (is a command, is the last, bytes)."""
        kind, body = self.read_pdu()
        if kind != 4:
            raise ConnectionError("PDU type %d instead of data" % kind)
        at = 0
        while at < len(body):
            length, _, control = struct.unpack_from(">IBB", body, at)
            yield control & 1, control & 2, body[at + 6:at + 4 + length]
            at += 4 + length

    def command(self, field, data, instance=None):
        """Sends a request; `instance` is its Affected SOP Instance UID."""
        self.message_id = self.message_id % 65535 + 1
        body = (implicit(0, 2, self.sop_class.encode() + b"\0" * (len(self.sop_class) & 1)) + implicit(0, 0x100, struct.pack("<H", field))
                + implicit(0, 0x110, struct.pack("<H", self.message_id)))
        if field in (1, 0x20):
            body += implicit(0, 0x700, struct.pack("<H", 0))
        body += implicit(0, 0x800, struct.pack("<H", 0x0101 if data is None else 0))
        if instance is not None:
            body += implicit(0, 0x1000, instance.encode() + b"\0" * (len(instance) & 1))
        body = implicit(0, 0, struct.pack("<I", len(body))) + body
        pdu = struct.pack(">BBI", 4, 0, len(body) + 6) + struct.pack(">IBB", len(body) + 2, 1, 3) + body
        room = self.peer_max_pdu - 6
        for at in range(0, len(data or b""), room):
            part = data[at:at + room]
            pdu += struct.pack(">BBI", 4, 0, len(part) + 6) + struct.pack(">IBB", len(part) + 2, 1, 2 if at + room >= len(data) else 0) + part
        self.socket.sendall(pdu)

    @staticmethod
    def status_of(command):
        at = 0
        while at < len(command):
            group, number, length = struct.unpack_from("<HHI", command, at)
            if group == 0 and number == 0x900:
                return struct.unpack_from("<H", command, at + 8)[0]
            at += 8 + length
        raise ConnectionError("a response without status")

    def responses(self):
        """Statuses until the final one."""
        parts = b""
        while True:
            for is_command, is_last, fragment in self.fragments():
                if not is_command:
                    continue
                parts += fragment
                if is_last:
                    status = self.status_of(parts)
                    parts = b""
                    yield status
                    if status not in (0xFF00, 0xFF01):
                        return

    def echo(self):
        self.command(0x30, None)
        return list(self.responses())[-1]

    def store(self, instance, data):
        """Status of one C-STORE; `data` is the data set in the association's transfer syntax."""
        self.command(1, data, instance)
        return list(self.responses())[-1]

    def matches(self, identifier):
        """The identifiers of the matches, as bytes in Implicit VR Little Endian; raises when the search did not end with success."""
        self.command(0x20, identifier)
        parts = {1: b"", 0: b""}
        while True:
            for is_command, is_last, fragment in self.fragments():
                parts[is_command] += fragment
                if not is_last:
                    continue
                if not is_command:
                    yield parts[0]
                    parts[0] = b""
                    continue
                status = self.status_of(parts[1])
                parts[1] = b""
                if status == 0:
                    return
                if status not in (0xFF00, 0xFF01):
                    raise ConnectionError("C-FIND ended with %04X" % status)

    def find(self, identifier):
        """Number of matches; raises when the search did not end with success."""
        self.command(0x20, identifier)
        statuses = list(self.responses())
        if statuses[-1] != 0:
            raise ConnectionError("C-FIND ended with %04X" % statuses[-1])
        return len(statuses) - 1

    def close(self):
        try:
            self.socket.sendall(struct.pack(">BBII", 5, 0, 4, 0))
            self.read_pdu()
        except OSError:
            pass
        self.socket.close()


def study_identifier(patient_id=b"", name=b"", date=b""):
    """Study-level matching keys and the return keys that a study list shows."""
    return (implicit(8, 0x20, date) + implicit(8, 0x30, b"") + implicit(8, 0x50, b"") + implicit(8, 0x52, b"STUDY ")
            + implicit(8, 0x61, b"") + implicit(8, 0x1030, b"") + implicit(0x10, 0x10, name) + implicit(0x10, 0x20, patient_id)
            + implicit(0x20, 0xD, b"") + implicit(0x20, 0x1206, b"") + implicit(0x20, 0x1208, b""))
