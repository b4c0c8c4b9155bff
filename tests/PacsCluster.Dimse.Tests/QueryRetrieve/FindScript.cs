namespace PacsCluster.Dimse.Tests.QueryRetrieve;

/// <summary>Queries and the entities that they find in the population of these tests, a line each: model (P or S; + for relational, * for combined date-time as well), level, keys as
/// findscu takes them (separated by two spaces), "=>", labels of what is found in any order. A label is a study's; with a dot and a number a series of it, by Series
/// Number; with two an instance; PAT: labels are of patients by Patient ID.</summary>
internal static class FindScript
{
    public const string Lines = """
        # single value, universal, and keys of other levels
        S STUDY  PatientID=77654033 => A1 A2
        S STUDY  PatientID=nobody =>
        S STUDY  PatientID => A1 A2 P1 P2 P3 P4 M1 M2 M3 M4 M5 M6
        S STUDY  AccessionNumber=ACC3 => M3
        S STUDY  StudyID=428 => P2
        S STUDY  PatientSex=M  PatientID=98890234 => P1 P2 P3 P4
        S STUDY  PatientBirthDate=19630203 => M3
        # issuer and other patient identifiers
        S STUDY  PatientID=SAME => M4 M5
        S STUDY  PatientID=SAME  IssuerOfPatientID=HOSP-B => M5
        S STUDY  IssuerOfPatientID=HOSP-A => M1 M2 M4
        S STUDY  OtherPatientIDsSequence[0].PatientID=OTHER-2 => M2
        S STUDY  OtherPatientIDsSequence[0].PatientID=OTHER-2  OtherPatientIDsSequence[0].IssuerOfPatientID=NOWHERE =>
        # lists of UID
        S STUDY  StudyInstanceUID={A1}\{P2}\1.2.3 => A1 P2
        S STUDY  StudyInstanceUID={A1}  PatientID=98890234 =>
        # wild cards, only where the VR has them
        S STUDY  PatientID=*654* => A1 A2
        S STUDY  PatientID=7765403? => A1 A2
        S STUDY  PatientID=????1 => 
        S STUDY  PatientID=?P1 => M1
        S STUDY  PatientID=* => A1 A2 P1 P2 P3 P4 M1 M2 M3 M4 M5 M6
        S STUDY  StudyDescription=Brain* => P3 P4
        S STUDY  StudyDescription=*Brain* => P3 P4
        S STUDY  StudyDescription=100%* => M6
        S STUDY  StudyDescription=100% => 
        S STUDY  StudyDescription=*[test]_x => M6
        S STUDY  StudyDescription=*[test]?x => M6
        S STUDY  StudyDescription=*t]__ =>
        S STUDY  StudyDescription=CT, HEAD/BRAIN WO CONTRAST => A2
        # person names: case, accents, components, groups
        S STUDY  PatientName=DOE* => A1 A2 P1 P2 P3 P4
        S STUDY  PatientName=doe^peter => P1 P2 P3 P4
        S STUDY  PatientName=*peter => P1 P2 P3 P4
        S STUDY  PatientName=D?e^A* => A1 A2
        S STUDY  PatientName=muller^jurgen => M4
        S STUDY  PatientName=MULLER* => M4
        S STUDY  PatientName=Yamada* => M1
        S STUDY  PatientName=Yamada^Tarou => M1
        S STUDY  PatientName=O'Brien^Sean* => M6
        S STUDY  ReferringPhysicianName=house^g*  StudyDate=20100101- => M1 M2 M3 M4 M5 M6
        # ranges
        S STUDY  StudyDate=20030505 => P2 P3 P4
        S STUDY  StudyDate=-20001231 => A2
        S STUDY  StudyDate=20140601- => M5 M6
        S STUDY  StudyDate=19950101-20010101 => A1 A2 P1
        S STUDY  StudyDate=20010101-20010101 => A1 P1
        S STUDY  StudyDate=20030505  StudyTime=040000-060000 => P2 P4
        S STUDY  StudyDate=20030505  StudyTime=0251-0251 => P3
        S STUDY  StudyDate=20030505  StudyTime=-045357 => P3 P4
        S*STUDY  StudyDate=20030505-20100115  StudyTime=050000-093000 => P2 M1
        # derived keys
        S STUDY  ModalitiesInStudy=CT => A2 P1 M3
        S STUDY  ModalitiesInStudy=CR\US => A1 M2 M6
        S STUDY  ModalitiesInStudy=SR  PatientID=?P1 => M1
        # series
        S SERIES  StudyInstanceUID={A1} => A1.1 A1.2 A1.3
        S SERIES  StudyInstanceUID={P4}  Modality=MR  SeriesNumber=700 => P4.700
        S SERIES  StudyInstanceUID={M2}  Modality=SR => M2.2
        S SERIES  StudyInstanceUID={M2}  RequestAttributesSequence[0].ScheduledProcedureStepID=SPS2 => M2.1 M2.2
        S SERIES  StudyInstanceUID={M2}  RequestAttributesSequence[0].ScheduledProcedureStepID=SPS1 =>
        P SERIES  PatientID=77654033  StudyInstanceUID={A2} => A2.2
        P SERIES  PatientID=98890234  StudyInstanceUID={A2} =>
        S+SERIES  Modality=SR => M1.2 M2.2 M3.2 M4.2 M5.2 M6.2
        S+SERIES  PatientName=doe^a*  Modality=CR => A1.1 A1.2 A1.3
        # instances
        S IMAGE  StudyInstanceUID={M3}  SeriesInstanceUID={M3}.1.2 => M3.2.1 M3.2.2 M3.2.3
        S IMAGE  StudyInstanceUID={M3}  SeriesInstanceUID={M3}.1.2  InstanceNumber=2 => M3.2.2
        S IMAGE  StudyInstanceUID={M3}  SeriesInstanceUID={M3}.1.2  SOPInstanceUID={M3}.1.2.1\{M3}.1.2.3 => M3.2.1 M3.2.3
        S+IMAGE  SOPInstanceUID={M6}.1.1.1 => M6.1.1
        P IMAGE  PatientID=CN1  StudyInstanceUID={M3}  SeriesInstanceUID={M3}.1.1  Rows=4 => M3.1.1 M3.1.2
        # patients
        P PATIENT  PatientID => PAT:77654033 PAT:98890234 PAT:JP1 PAT:KR1 PAT:CN1 PAT:SAME PAT:SAME PAT:IE1
        P PATIENT  PatientName=doe* => PAT:77654033 PAT:98890234
        P PATIENT  PatientSex=M  PatientName=DOE* => PAT:98890234
        P STUDY  PatientID=98890234 => P1 P2 P3 P4
        P STUDY  PatientID=98890234  StudyDate=20030101- => P2 P3 P4
        """;

    /// <summary>The lines that are not remarks.</summary>
    public static IEnumerable<string> All => Lines.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#');
}
