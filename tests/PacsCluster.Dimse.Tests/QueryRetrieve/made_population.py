"""Writes the instances of the query tests whose texts need a character set, with pydicom: bytes that our own code did not encode."""
import sys
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

BASE = "1.2.826.0.1.3680043.10.1463.99."

PATIENTS = [
    # number, character set, name, identifier, issuer, study description, date, modality
    (1, ["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "JP1", "HOSP-A", "Abdomen", "20100115", "MR"),
    (2, ["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "KR1", "HOSP-A", "Chest", "20110301", "CR"),
    (3, "ISO_IR 192", "Wang^XiaoDong=王^小东", "CN1", "HOSP-B", "Köpfchen", "20120401", "CT"),
    (4, "ISO_IR 100", "Müller^Jürgen", "SAME", "HOSP-A", "Knie links", "20130501", "MR"),
    (5, "ISO_IR 144", "Люкceмбypг", "SAME", "HOSP-B", "Knie rechts", "20140601", "MR"),
    (6, None, "O'Brien^Sean^^Dr^Jr", "IE1", "HOSP-C", "100% [test]_x", "20150701", "US"),
]

def make(folder, number, charset, name, patient_id, issuer, description, date, modality, series, instance):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = f"{BASE}{number}.1.{series}.{instance}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(f"{folder}/{number}-{series}-{instance}.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    d.is_little_endian, d.is_implicit_VR = True, False
    if charset is not None:
        d.SpecificCharacterSet = charset
    d.SOPClassUID = meta.MediaStorageSOPClassUID
    d.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    d.StudyDate, d.StudyTime = date, f"{8 + number:02d}3000"
    d.AccessionNumber = f"ACC{number}"
    d.Modality = modality if series == 1 else "SR"
    d.ReferringPhysicianName = "House^Gregory"
    d.StudyDescription = description
    d.PatientName, d.PatientID, d.IssuerOfPatientID = name, patient_id, issuer
    d.PatientBirthDate, d.PatientSex = f"19{60 + number}0203", "MF"[number % 2]
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = f"OTHER-{number}", "ELSEWHERE", "TEXT"
    d.OtherPatientIDsSequence = [other]
    d.StudyInstanceUID = f"{BASE}{number}"
    d.SeriesInstanceUID = f"{BASE}{number}.1.{series}"
    d.StudyID, d.SeriesNumber, d.InstanceNumber = str(number), series, instance
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = f"SPS{number}", f"RP{number}"
    d.RequestAttributesSequence = [request]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns, d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 4, 4, 8, 8, 7, 0
    d.PixelData = bytes(range(16))
    d.save_as(d.filename, write_like_original=False)

for patient in PATIENTS:
    for series in (1, 2):
        for instance in range(1, series + 2):
            make(sys.argv[1], *patient, series, instance)
