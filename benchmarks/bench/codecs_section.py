"""Decoding beside the libraries called from C and the tools of DCMTK, the corpus beside its judges, and hostile codestreams: measured by the tests of
Imaging, which know both sides, and put into the table here."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROJECT = "tests/PacsCluster.Imaging.Tests"


def run_test(bench, name, **variables):
    """Runs one test of Imaging in Release; its words when it fails."""
    if not getattr(bench, "imaging_built", False):
        subprocess.run(["dotnet", "build", PROJECT, "-c", "Release", "-v", "quiet", "-clp:NoSummary"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        bench.imaging_built = True
    program = os.path.join(ROOT, PROJECT, "bin/Release/net10.0/PacsCluster.Imaging.Tests")
    done = subprocess.run([program, "-noColor", "-method", "*." + name], cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(name + ": " + done.stdout[-2000:])


def codecs(bench):
    """Milliseconds of decoding, medians; and a table of transfer syntax, files and verdicts in benchmarks/results/codecs.md."""
    report = os.path.join(bench.work, "codecs.tsv")
    run_test(bench, "Decoding_beside_the_libraries_in_C_and_the_tools_of_DCMTK", PACS_MEASURE_CODECS=report)
    for line in open(report):
        row, column, value = line.rstrip("\n").split("\t")
        bench.add(row, column, float(value))
    verdicts = os.path.join(bench.work, "verdicts.tsv")
    run_test(bench, "Every_frame_of_the_corpus_is_what_DCMTK_GDCM_and_OpenJPEG_decode", PACS_CODEC_TABLE=verdicts)
    write_table(verdicts, os.path.join(ROOT, "benchmarks/results/codecs.md"))


def write_table(verdicts, path):
    counts, refused = {}, []
    for line in open(verdicts):
        syntax, verdict, name, why = (line.rstrip("\n").split("\t") + [""])[:4]
        kind = "exact" if verdict == "exact" else "within 1" if verdict.startswith("within") else "refused"
        counts.setdefault(syntax, {}).setdefault(kind, 0)
        counts[syntax][kind] += 1
        if kind == "refused":
            refused.append("* `%s` %s: %s" % (name, syntax, why))
    with open(path, "w") as out:
        out.write("# Frames of the corpus beside DCMTK, GDCM and OpenJPEG\n\nEvery frame of every file; exact: every sample is the same as in each judge that reads the file.\n"
                  "Within 1: GDCM leaves YCbCr as it is, which is converted here and rounded twice; DCMTK's RGB is the same as ours in every sample.\n\n")
        out.write("| transfer syntax | files | exact | within 1 | refused |\n|---|---|---|---|---|\n")
        for syntax, of in sorted(counts.items()):
            out.write("| %s | %d | %d | %d | %d |\n" % (syntax, sum(of.values()), of.get("exact", 0), of.get("within 1", 0), of.get("refused", 0)))
        out.write("\n## Refused, and why\n\n" + "\n".join(sorted(refused)) + "\n")


def soak(bench):
    """100,000 mutated codestreams (2,000 with --quick): each gives a frame or, after 2 s at the latest, an error, and the process lives."""
    report = os.path.join(bench.work, "soak.txt")
    run_test(bench, "Mutated_codestreams_give_a_frame_or_an_error_and_the_process_lives", PACS_SOAK="2000" if bench.quick else "100000", PACS_SOAK_LIMIT="2", PACS_SOAK_REPORT=report)
    bench.remark(open(report).read())
