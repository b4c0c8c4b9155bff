"""compare_data_sets.py STORED RECEIVED: compares the instances of two folders by SOP Instance UID, as pydicom reads them: every element of the data
set, without File Meta Information and group lengths. Prints "N same" or what differs, and ends with 1 then."""
import sys, os, warnings
import pydicom
warnings.filterwarnings("ignore")

def read(folder):
    instances = {}
    for root, _, files in os.walk(folder):
        for name in files:
            d = pydicom.dcmread(os.path.join(root, name), force=True)
            instances[str(d.SOPInstanceUID).strip(" \0")] = d
    return instances

def pixels(d):
    data = d.get("PixelData")
    if data is None:
        return None
    if not d.is_little_endian and d.BitsAllocated > 8:
        swapped = bytearray(data)
        swapped[0::2], swapped[1::2] = data[1::2], data[0::2]
        return bytes(swapped)
    return bytes(data)

def value(v):
    return bytes(v).rstrip(b"\0 ") if isinstance(v, (bytes, bytearray)) else v

def differences(a, b, path=""):
    tags = {e.tag for e in a if e.tag.element != 0} | {e.tag for e in b if e.tag.element != 0}
    for tag in sorted(tags):
        if tag == 0x7FE00010:
            continue
        if (tag in a) != (tag in b):
            yield f"{path}{tag} only on one side"
        elif a[tag].VR == "SQ" and b[tag].VR == "SQ":
            if len(a[tag].value) != len(b[tag].value):
                yield f"{path}{tag} items"
            for x, y in zip(a[tag].value, b[tag].value):
                yield from differences(x, y, f"{path}{tag}.")
        elif a[tag].VR in ("UN", "SQ", "OW", "OB") or b[tag].VR in ("UN", "SQ", "OW", "OB"):
            if a[tag].VR == b[tag].VR and value(a[tag].value) != value(b[tag].value):
                yield f"{path}{tag} bytes"
        elif str(a[tag].value) != str(b[tag].value):
            yield f"{path}{tag} value"

stored, received = read(sys.argv[1]), read(sys.argv[2])
wrong = 0
for uid, d in received.items():
    found = list(differences(stored[uid], d)) if uid in stored else ["was never stored"]
    if uid in stored and pixels(stored[uid]) != pixels(d):
        a, b = pixels(stored[uid]) or b"", pixels(d) or b""
        if a.rstrip(b"\0") != b.rstrip(b"\0"):
            found.append("pixel data")
    if found:
        wrong += 1
        print(uid, *found)
print(f"{len(received) - wrong} same")
sys.exit(1 if wrong else 0)
