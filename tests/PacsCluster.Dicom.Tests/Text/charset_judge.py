"""What pydicom makes of text: one JSON object a line {where, terms, vr, bytes (hex), text}.

Arguments: files, or folders to walk; or --tables for every character of every set, or --decode FILE for lines of {terms, vr, bytes}.
"""
import json
import os
import sys
import warnings

import pydicom
from pydicom import config
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.valuerep import TEXT_VR_DELIMS, PersonName

warnings.simplefilter("ignore")
config.settings.reading_validation_mode = config.IGNORE
TEXT = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}


def decoded(raw, vr, encodings):
    # As pydicom reads: values apart at every backslash byte, then each decoded; long texts whole.
    values = [raw] if vr in ("LT", "ST", "UT") else raw.split(b"\\")
    if vr == "PN":
        return "\\".join("=".join(decode_bytes(c, encodings, {0x5E, 0x3D, 0x5C}) for c in v.split(b"=")) for v in values)
    return "\\".join(decode_bytes(v, encodings, TEXT_VR_DELIMS) for v in values)


def walk(ds: Dataset, terms, where, out):
    own = ds.get_item(0x00080005)
    if own is not None and isinstance(own.value, bytes):
        terms = own.value.decode("latin-1").strip(" \0").split("\\")
        terms = [t.strip() for t in terms]
    elif own is not None:
        value = own.value
        terms = [str(value)] if isinstance(value, str) else [str(v) for v in value or [""]]
    for tag in list(ds.keys()):
        raw = ds.get_item(tag)
        vr = raw.VR
        if vr is None or vr == "UN":
            try:
                vr = dictionary_VR(tag)
            except KeyError:
                continue
        if vr == "SQ":
            try:
                for item in ds[tag].value:
                    walk(item, terms, where, out)
            except Exception:
                pass
        elif vr in TEXT and isinstance(raw.value, bytes) and raw.value:
            encodings = convert_encodings(list(terms) if terms else [""])
            out.write(json.dumps({"where": f"{where} {tag}", "terms": terms or [], "vr": vr, "bytes": raw.value.hex(),
                                  "text": decoded(raw.value, vr, encodings)}) + "\n")


def emit(where, terms, raw, text):
    print(json.dumps({"where": where, "terms": terms, "vr": "UT", "bytes": raw.hex(), "text": text}))


def tables():
    """Every character that Python's codecs know, a row of 94 (or a right half) at a time."""
    single = {"ISO_IR 100": "latin_1", "ISO_IR 101": "iso8859_2", "ISO_IR 109": "iso8859_3", "ISO_IR 110": "iso8859_4", "ISO_IR 144": "iso8859_5",
              "ISO_IR 127": "iso8859_6", "ISO_IR 126": "iso8859_7", "ISO_IR 138": "iso8859_8", "ISO_IR 148": "iso8859_9", "ISO_IR 166": "tis_620",
              "ISO_IR 203": "iso8859_15", "ISO_IR 13": "shift_jis"}
    for term, codec in single.items():
        for code in range(0xA0, 0x100):
            try:
                emit(f"{term} {code:02X}", [term], bytes([code]), bytes([code]).decode(codec))
            except UnicodeDecodeError:
                pass
    double = {"ISO 2022 IR 87": (b"\x1b$B", "iso2022_jp", False), "ISO 2022 IR 159": (b"\x1b$(D", "iso2022_jp_2", False),
              "ISO 2022 IR 149": (b"\x1b$)C", "euc_kr", True), "ISO 2022 IR 58": (b"\x1b$)A", "gb2312", True)}
    for term, (escape, codec, right) in double.items():
        for row in range(0x21, 0x7F):
            for cell in range(0x21, 0x7F):
                pair = bytes([row | 0x80, cell | 0x80]) if right else bytes([row, cell])
                try:
                    text = pair.decode(codec) if right else (escape + pair).decode(codec)
                except UnicodeDecodeError:
                    continue
                emit(f"{term} {row:02X}{cell:02X}", ["", term], escape + pair, text)
    for term, codec in (("GB18030", "gb18030"), ("GBK", "gbk")):
        for code in range(0xA0, 0xFFFE):
            if 0xD800 <= code < 0xF900:
                continue
            try:
                emit(f"{term} U+{code:04X}", [term], chr(code).encode(codec), chr(code))
            except UnicodeEncodeError:
                pass


if sys.argv[1] == "--tables":
    tables()
elif sys.argv[1] == "--decode":
    for line in open(sys.argv[2], encoding="utf-8"):
        asked = json.loads(line)
        print(json.dumps({"text": decoded(bytes.fromhex(asked["bytes"]), asked["vr"], convert_encodings(list(asked["terms"]) or [""]))}))
else:
    for argument in sys.argv[1:]:
        files = [argument] if os.path.isfile(argument) else sorted(os.path.join(d, f) for d, _, fs in os.walk(argument) for f in fs)
        for path in files:
            try:
                data = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            except Exception:
                continue
            try:
                walk(data, None, os.path.basename(path), sys.stdout)
            except Exception:
                continue
