"""Lists the elements of DICOM files with pydicom, which knows nothing of our reader. Arguments: a file with one path a line. Prints for each
"F<tab>path" (or "E<tab>path<tab>reason"), then for each element "path of tags<tab>VR as it stands, or --<tab>length or items=N<tab>SHA-256 of the
value in little endian". Sequences are followed; the group 0002 is not listed. For encapsulated pixel data a last line
"frames<tab><tab>number<tab>SHA-256 of the frames' SHA-256" says how pydicom cuts it into frames."""
import hashlib
import sys
import warnings

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.encaps import generate_pixel_data_frame

warnings.simplefilter("ignore")
pydicom.config.logger.disabled = True
WORDS = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4, "FD": 8, "OD": 8, "SV": 8, "UV": 8, "OV": 8}


def little(value, vr, is_little):
    word = WORDS.get(vr, 1)
    if is_little or word == 1:
        return value
    whole = len(value) // word * word
    return b"".join(value[i:i + word][::-1] for i in range(0, whole, word)) + value[whole:]


def walk(dataset, prefix, out):
    for tag in sorted(dataset._dict.keys()):
        path = f"{prefix}{tag:08X}"
        raw = dataset._dict[tag]
        is_raw = isinstance(raw, RawDataElement)
        vr = raw.VR if is_raw else None
        items = None
        if not is_raw and raw.VR != "SQ":
            out.append(f"{path}\t{raw.VR}\t*\t")  # pydicom has decoded it already
            continue
        if not is_raw:
            items = raw.value
        elif (vr or "UN") in ("SQ", "UN"):
            try:
                element = pydicom.dataelem.DataElement_from_raw(raw, dataset._character_set, dataset)
                if element.VR == "SQ":
                    items = element.value
            except Exception:
                items = None
        if items is not None:
            out.append(f"{path}\tSQ\titems={len(items)}\t")
            for i, item in enumerate(items):
                walk(item, f"{path}[{i}].", out)
            continue
        value = raw.value or b""
        out.append(f"{path}\t{vr or '--'}\t{len(value)}\t{hashlib.sha256(little(value, vr, raw.is_little_endian)).hexdigest()}")


def frames(dataset, out):
    try:
        pixels = dataset._dict[0x7FE00010]
        if pixels.length != 0xFFFFFFFF:
            return
        number = int(dataset.get("NumberOfFrames", 1) or 1)
        found = [hashlib.sha256(f).hexdigest() for f in generate_pixel_data_frame(pixels.value, number)]
        out.append(f"frames\t\t{len(found)}\t{hashlib.sha256(''.join(found).encode()).hexdigest()}")
    except Exception:
        return


for line in open(sys.argv[1], encoding="utf-8"):
    file = line.rstrip("\n")
    out = []
    try:
        dataset = pydicom.dcmread(file, force=True)
        frames(dataset, out)
        walk(dataset, "", out)
        sys.stdout.write(f"F\t{file}\n")
        if out:
            sys.stdout.write("\n".join(out) + "\n")
    except Exception as e:
        sys.stdout.write(f"E\t{file}\t{type(e).__name__}: {str(e)[:100]}\n".replace("\r", " "))
