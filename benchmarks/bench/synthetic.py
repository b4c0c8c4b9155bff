"""Synthetic DICOM files (PS3.10, Explicit VR Little Endian): plausible headers, unique UIDs, noise for pixels."""
import os
import random
import struct
import uuid

EXPLICIT_LE = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
LONG = {"OB", "OW", "OF", "SQ", "UN", "UT", "UC", "UR"}
FAMILY = "ABRAHAM BECKER CLAUSEN DUBOIS EKSTROM FISCHER GARCIA HOFFMANN IVANOV JANSEN KOWALSKI LINDQVIST MOREAU NOVAK OKAFOR PETROV ROSSI TANAKA VARGA WEBER YILMAZ ZIMMER".split()
GIVEN = "ADA BORIS CLARA DAVID EMMA FELIX GRETA HUGO INES JONAS KARIN LEON MARIA NILS OLGA PAUL ROSA SVEN TERESA VIKTOR".split()


def new_uid():
    return "2.25." + str(uuid.uuid4().int)


def element(group, number, vr, value):
    if isinstance(value, str):
        value = value.encode("latin-1")
    if len(value) & 1:
        value += b"\0" if vr in ("UI", "OB") else b" "
    if vr in LONG:
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr.encode(), len(value)) + value


def us(value):
    return struct.pack("<H", value)


def file_meta(sop_class, sop_instance):
    body = (element(2, 1, "OB", b"\0\1") + element(2, 2, "UI", sop_class) + element(2, 3, "UI", sop_instance)
            + element(2, 0x10, "UI", EXPLICIT_LE) + element(2, 0x12, "UI", "2.25.329800735698586629295641978511506172918")
            + element(2, 0x13, "SH", "BENCHMARK"))
    return b"\0" * 128 + b"DICM" + element(2, 0, "UL", struct.pack("<I", len(body))) + body


class Study:
    """One study of one patient; the same random source gives the same names and dates every time."""

    def __init__(self, number, source, name=None, date=None):
        self.number = number
        self.uid = new_uid()
        self.patient_id = "BENCH%07d" % number
        self.name = name or "%s^%s" % (source.choice(FAMILY), source.choice(GIVEN))
        self.date = date or "20%02d%02d%02d" % (source.randint(10, 24), source.randint(1, 12), source.randint(1, 28))
        self.time = "%02d%02d%02d" % (source.randint(7, 18), source.randint(0, 59), source.randint(0, 59))


def data_set(study, series_uid, number, sop_class, modality, rows, columns, frames, pixels):
    """The data set's bytes; `pixels` is its last value."""
    sop_instance = new_uid()
    rgb = modality == "US"
    e = element
    head = [
        e(8, 5, "CS", "ISO_IR 100"), e(8, 8, "CS", "ORIGINAL\\PRIMARY\\AXIAL"), e(8, 0x12, "DA", study.date), e(8, 0x13, "TM", study.time),
        e(8, 0x16, "UI", sop_class), e(8, 0x18, "UI", sop_instance), e(8, 0x20, "DA", study.date), e(8, 0x21, "DA", study.date),
        e(8, 0x22, "DA", study.date), e(8, 0x23, "DA", study.date), e(8, 0x30, "TM", study.time), e(8, 0x31, "TM", study.time),
        e(8, 0x32, "TM", study.time), e(8, 0x33, "TM", study.time), e(8, 0x50, "SH", "A%07d" % study.number), e(8, 0x60, "CS", modality),
        e(8, 0x70, "LO", "BENCHMARK"), e(8, 0x80, "LO", "GENERAL HOSPITAL"), e(8, 0x90, "PN", "REFERRING^DOCTOR"),
        e(8, 0x1010, "SH", "STATION1"), e(8, 0x1030, "LO", "THORAX ROUTINE"), e(8, 0x103E, "LO", "AXIAL 5.0 B31F"),
        e(8, 0x1090, "LO", "SYNTHETIC 64"), e(0x10, 0x10, "PN", study.name), e(0x10, 0x20, "LO", study.patient_id),
        e(0x10, 0x30, "DA", "19600101"), e(0x10, 0x40, "CS", "O"), e(0x10, 0x1010, "AS", "060Y"), e(0x18, 0x15, "CS", "CHEST"),
    ]
    if rgb:
        head += [e(0x18, 0x1063, "DS", "33.3")]
    else:
        head += [
            e(0x18, 0x50, "DS", "5"), e(0x18, 0x60, "DS", "120"), e(0x18, 0x90, "DS", "500"), e(0x18, 0x1020, "LO", "SYN A40"),
            e(0x18, 0x1030, "LO", "THORAX"), e(0x18, 0x1120, "DS", "0"), e(0x18, 0x1130, "DS", "150"), e(0x18, 0x1150, "IS", "500"),
            e(0x18, 0x1151, "IS", "200"), e(0x18, 0x1152, "IS", "100"), e(0x18, 0x1160, "SH", "0"), e(0x18, 0x1210, "SH", "B31f"),
            e(0x18, 0x5100, "CS", "HFS"),
        ]
    head += [e(0x20, 0xD, "UI", study.uid), e(0x20, 0xE, "UI", series_uid), e(0x20, 0x10, "SH", "1"), e(0x20, 0x11, "IS", "1"),
             e(0x20, 0x12, "IS", "1"), e(0x20, 0x13, "IS", str(number))]
    if rgb:
        head += [e(0x28, 2, "US", us(3)), e(0x28, 4, "CS", "RGB"), e(0x28, 6, "US", us(0)), e(0x28, 8, "IS", str(frames)),
                 e(0x28, 9, "AT", struct.pack("<HH", 0x18, 0x1063))]
    else:
        head += [e(0x20, 0x32, "DS", "-250\\-250\\%d" % (number * -5)), e(0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0"),
                 e(0x20, 0x52, "UI", study.uid + ".1"), e(0x20, 0x1041, "DS", str(number * -5)),
                 e(0x28, 2, "US", us(1)), e(0x28, 4, "CS", "MONOCHROME2")]
    head += [e(0x28, 0x10, "US", us(rows)), e(0x28, 0x11, "US", us(columns))]
    if not rgb:
        head += [e(0x28, 0x30, "DS", "0.9765625\\0.9765625")]
    bits = 8 if rgb else 16
    head += [e(0x28, 0x100, "US", us(bits)), e(0x28, 0x101, "US", us(8 if rgb else 12)), e(0x28, 0x102, "US", us(7 if rgb else 11)),
             e(0x28, 0x103, "US", us(0))]
    if not rgb:
        head += [e(0x28, 0x1050, "DS", "40"), e(0x28, 0x1051, "DS", "400"), e(0x28, 0x1052, "DS", "-1024"), e(0x28, 0x1053, "DS", "1")]
    return sop_instance, b"".join(head) + e(0x7FE0, 0x10, "OB" if rgb else "OW", pixels)


def write_files(folder, count, studies, sop_class, modality, rows, columns, frames=1, names=None, dates=None):
    """`count` files over `studies` studies with one series each; gives the studies. Kept when they are there already."""
    marker = os.path.join(folder, "complete")
    source = random.Random(folder.rsplit("/", 1)[-1])
    size = rows * columns * frames * (3 if modality == "US" else 2)
    if not os.path.exists(marker):
        noise = os.urandom(size + 65536)
        if modality != "US":
            # 12 bits stored of 16: the high nibble of every word is zero.
            noise = bytes(b if i % 2 == 0 else b & 15 for i, b in enumerate(noise)) if size < 4_000_000 else noise
        os.makedirs(folder, exist_ok=True)
        per_study = -(-count // studies)
        at = 0
        for number in range(studies):
            study = Study(number, source, names and names(number), dates and dates(number))
            series_uid = new_uid()
            for instance in range(1, min(per_study, count - at) + 1):
                start = source.randrange(0, 65536, 2)
                sop_instance, body = data_set(study, series_uid, instance, sop_class, modality, rows, columns, frames, noise[start:start + size])
                with open(os.path.join(folder, "%06d.dcm" % at), "wb") as file:
                    file.write(file_meta(sop_class, sop_instance))
                    file.write(body)
                at += 1
            with open(os.path.join(folder, "studies.txt"), "a") as listing:
                listing.write(study.uid + "\n")
        open(marker, "w").close()
    with open(os.path.join(folder, "studies.txt")) as listing:
        return listing.read().split()


def shares(folder, work, parts, run=1):
    """The folder's files dealt out to `parts` folders of hard links, `run` in turn: what each of several senders sends."""
    files = sorted(f for f in os.listdir(folder) if f.endswith(".dcm"))
    folders = []
    for part in range(parts):
        share = os.path.join(work, "%s-%dof%d-by%d" % (os.path.basename(folder), part + 1, parts, run))
        if not os.path.isdir(share):
            os.makedirs(share)
            for name in (name for at, name in enumerate(files) if at // run % parts == part):
                os.link(os.path.join(folder, name), os.path.join(share, name))
        folders.append(share)
    return folders
