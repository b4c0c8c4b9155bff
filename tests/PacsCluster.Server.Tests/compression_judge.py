"""Compares files that came back with those that were sent: the same attributes and, byte for byte, the same pixel data; uncompressed.
python3 compression_judge.py SENT GOT; one line an instance, and exit code 1 when one differs."""
import os
import sys

import pydicom


def read(folder):
    files = (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
    return {one.SOPInstanceUID: one for one in (pydicom.dcmread(path, force=True) for path in files)}


def difference(sent, got):
    if got.file_meta.TransferSyntaxUID.is_compressed:
        return "came as " + got.file_meta.TransferSyntaxUID.name
    if sent.PixelData != got.PixelData:
        return "other pixel data"
    # Group lengths and the padding of the whole file are the writer's own.
    def own(data_set):
        return {e.tag: (e.VR, e.value) for e in data_set if e.tag.element != 0 and e.tag not in (0x7FE00010, 0xFFFCFFFC)}
    one, other = own(sent), own(got)
    tags = [tag for tag in one.keys() | other.keys() if one.get(tag) != other.get(tag)]
    return "other attributes: %s" % ", ".join(map(str, sorted(tags))) if tags else None


sent, got = read(sys.argv[1]), read(sys.argv[2])
wrong = ["%s is missing" % uid for uid in sent.keys() - got.keys()] + ["%s was never sent" % uid for uid in got.keys() - sent.keys()]
for uid in sent.keys() & got.keys():
    what = difference(sent[uid], got[uid])
    if what:
        wrong.append("%s: %s" % (uid, what))
print("\n".join(wrong) if wrong else "%d instances are the same" % len(sent))
sys.exit(1 if wrong else 0)
