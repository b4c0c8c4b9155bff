"""SHA-256 of every frame of files as pydicom finds them: codestreams as stored, native frames in little endian."""
import hashlib
import json
import sys
import warnings

import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

warnings.simplefilter("ignore")


def native(dataset):
    """Native frames of whole bytes; None where the attributes do not fit the pixel data."""
    bits = dataset.Rows * dataset.Columns * dataset.get("SamplesPerPixel", 1) * dataset.BitsAllocated
    if dataset.get("PhotometricInterpretation") in ("YBR_FULL_422", "YBR_PARTIAL_422") or bits % 8:
        return None
    count, length = int(dataset.get("NumberOfFrames") or 1), bits // 8
    data = dataset.PixelData
    if len(data) not in (count * length, count * length + 1):
        return None
    if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian and dataset["PixelData"].VR == "OW":
        swapped = bytearray(data)
        swapped[0::2], swapped[1::2] = data[1::2], data[0::2]
        data = bytes(swapped)
    return [data[i * length:(i + 1) * length] for i in range(count)]


def encapsulated(dataset):
    count = int(dataset.get("NumberOfFrames") or 1)
    try:
        from pydicom.encaps import generate_frames
        frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
    except ImportError:
        from pydicom.encaps import generate_pixel_data_frame
        frames = list(generate_pixel_data_frame(dataset.PixelData, count))
    return frames if len(frames) == count else None


def main():
    found, seen = {}, set()
    for path in open(sys.argv[1]).read().splitlines():
        try:
            dataset = pydicom.dcmread(path)
            key = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
            if dataset.SOPInstanceUID in seen or not all(0 < len(uid) <= 64 for uid in key) or "PixelData" not in dataset:
                continue
            video = dataset.file_meta.TransferSyntaxUID.startswith("1.2.840.10008.1.2.4.10")
            frames = None if video else encapsulated(dataset) if dataset.file_meta.TransferSyntaxUID.is_compressed and \
                dataset.file_meta.TransferSyntaxUID != DeflatedExplicitVRLittleEndian else native(dataset)
        except Exception:
            continue
        if not frames:
            continue
        seen.add(dataset.SOPInstanceUID)
        found[path] = {"study": key[0], "series": key[1], "instance": key[2], "frames": [hashlib.sha256(f).hexdigest() for f in frames]}
    json.dump(found, open(sys.argv[2], "w"))


main()
