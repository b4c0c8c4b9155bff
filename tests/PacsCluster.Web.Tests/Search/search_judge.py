"""Reads the results of searches with pydicom: every object must be a DICOM JSON Model that it accepts, with the values that the archive was given."""
import json
import sys
import urllib.request

from pydicom.dataset import Dataset

read = 0
for resource, per in (("patients", None), ("studies", "StudyInstanceUID"), ("series?includefield=all", "SeriesInstanceUID"), ("instances?includefield=all", "SOPInstanceUID")):
    request = urllib.request.Request(sys.argv[1] + "/" + resource, headers={"Accept": "application/dicom+json"})
    with urllib.request.urlopen(request) as response:
        results = json.load(response)
    keys = [list(result) for result in results]
    assert all(k == sorted(k) and all(len(tag) == 8 and tag == tag.upper() for tag in k) for k in keys), "keys ascend in upper case"
    seen = set()
    for result in results:
        data_set = Dataset.from_json(result)
        assert data_set.SpecificCharacterSet == "ISO_IR 192"
        assert str(data_set.PatientName.family_name) in ("Smith", "Smithers", "M\u00fcller", "Yamada", "O'Brien", "Schmidt"), data_set.PatientName
        if per:
            seen.add(data_set[per].value)
            assert data_set.RetrieveURL.startswith(sys.argv[1] + "/studies/" + data_set.StudyInstanceUID)
            assert int(data_set.NumberOfStudyRelatedInstances) == 2 * int(data_set.NumberOfStudyRelatedSeries)
        read += 1
    assert not per or len(seen) == len(results)
print("read %d results" % read)
