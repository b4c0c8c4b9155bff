"""Compares our DICOM JSON with pydicom's. Argument: a file of lines "DICOM file <tab> our JSON file". Prints a line for each difference."""
import json
import struct
import sys
import warnings

import pydicom
from pydicom import config
from pydicom.dataset import Dataset

warnings.simplefilter("ignore")
config.settings.reading_validation_mode = config.IGNORE
config.settings.writing_validation_mode = config.IGNORE
compared = 0


def values(attribute):
    found = attribute.get("Value", [])
    while found and found[-1] in (None, "", {}):
        found = found[:-1]
    return found


def same(a, b, vr=""):
    if a in (None, "", {}) and b in (None, "", {}):
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return all(a.get(k, "").strip(" ^\0") == b.get(k, "").strip(" ^\0") for k in set(a) | set(b))
    try:
        # The shortest decimal of a single is another double than the single itself.
        if vr == "FL" and struct.pack("<f", float(a)) == struct.pack("<f", float(b)):
            return True
        if float(a) == float(b) or str(a) == str(b) == "nan":
            return True
    except (TypeError, ValueError, OverflowError):
        pass
    return str(a).strip(" \0") == str(b).strip(" \0")


def compare(where, theirs, ours):
    global compared
    for key in sorted(set(theirs) | set(ours)):
        if key.endswith("0000") or key == "00080005":
            continue
        place = where + "/" + key
        if key not in theirs or key not in ours:
            print(place, "only in", "theirs" if key in theirs else "ours", (theirs.get(key) or ours.get(key))["vr"], sep="\t")
            continue
        a, b = theirs[key], ours[key]
        compared += 1
        if a["vr"] != b["vr"]:
            print(place, "vr", a["vr"], b["vr"], sep="\t")
        elif a["vr"] == "SQ":
            if len(values(a)) != len(values(b)) and len(a.get("Value", [])) != len(b.get("Value", [])):
                print(place, "items", len(values(a)), len(values(b)), sep="\t")
            for i, (x, y) in enumerate(zip(a.get("Value", []), b.get("Value", []))):
                compare(f"{place}/{i}", x, y)
        elif "BulkDataURI" in b:
            pass  # the bytes are compared elsewhere
        elif "InlineBinary" in a or "InlineBinary" in b:
            if a.get("InlineBinary", "") != b.get("InlineBinary", ""):
                print(place, "binary", a.get("InlineBinary", "")[:40], b.get("InlineBinary", "")[:40], sep="\t")
        else:
            x, y = values(a), values(b)
            if len(x) != len(y) or not all(same(p, q, a["vr"]) for p, q in zip(x, y)):
                print(place, "value", ascii(x)[:120], ascii(y)[:120], sep="\t")


for line in open(sys.argv[1], encoding="utf-8"):
    dicom, ours = line.rstrip("\n").split("\t")
    text = open(ours, encoding="utf-8").read()
    name = "/".join(dicom.split("/")[-2:])
    try:
        Dataset.from_json(text, bulk_data_uri_handler=lambda tag, vr, uri: b"")
    except Exception as e:
        print(name, "from_json", type(e).__name__, str(e)[:100], sep="\t")
    try:
        theirs = pydicom.dcmread(dicom, force=True).to_json_dict(bulk_data_threshold=1 << 30, bulk_data_element_handler=lambda e: "")
    except Exception as e:
        print(name, "to_json", type(e).__name__, str(e)[:100], sep="\t")
        continue
    compare(name, theirs, json.loads(text))
print("compared", compared, sep="\t")
