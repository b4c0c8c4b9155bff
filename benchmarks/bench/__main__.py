"""Command line of benchmarks/run and the report."""
import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import cluster_section
import million
import qidostow
import render
import scale
import sections
import servers
import transcode
import wado
from product import ROOT, publish

sections.SECTIONS.update(qidostow.SECTIONS)
sections.SECTIONS["wado"] = wado.wado
sections.SECTIONS.update(render.SECTIONS)
sections.SECTIONS.update(scale.SECTIONS)
sections.SECTIONS.update(transcode.SECTIONS)
sections.SECTIONS.update(cluster_section.SECTIONS)
sections.SECTIONS.update(million.SECTIONS)


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ROOT).stdout.strip()
    except OSError:
        return ""


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return "%d × %s, %.0f GB, Linux %s, .NET %s" % (os.cpu_count(), model, memory, platform.release(), output_of("dotnet", "--version"))


def shown(value):
    return "" if value is None else "%.2f" % value if value < 10 else "%.1f" % value if value < 100 else "{:,.0f}".format(value)


def table(bench):
    """Medians, and how many times a peer's value ours is."""
    rows = list(dict.fromkeys(row for row, _ in bench.results))
    columns = list(dict.fromkeys(column for _, column in bench.results))
    names = [s.name for s in bench.servers if s.name in columns]
    names += [column for column in columns if column not in names]
    lines = ["| | " + " | ".join(names) + " | ours ÷ peers |", "|" + "---|" * (len(names) + 2)]
    for row in rows:
        ours = bench.median(row, servers.PacsCluster.name)
        ratios = []
        for name in names:
            theirs = bench.median(row, name)
            if name != servers.PacsCluster.name and ours and theirs:
                ratios.append("%.2f × %s" % (ours / theirs, name))
        lines.append("| %s | %s | %s |" % (row, " | ".join(shown(bench.median(row, name)) for name in names), ", ".join(ratios)))
    return lines


def report(bench, names, started):
    commit = output_of("git", "rev-parse", "--short", "HEAD") + (" with local changes" if output_of("git", "status", "--porcelain", "-uno") else "")
    lines = [
        "# Benchmark of %s" % time.strftime("%Y-%m-%d %H:%M", time.localtime(started)), "",
        "Machine: %s." % machine(),
        "Commit: %s. Sections: %s. %d round%s, medians; servers alternate within a round; %.0f minutes in all." % (
            commit, " ".join(names), bench.rounds, "" if bench.rounds == 1 else "s", (time.time() - started) / 60),
        "Peers: %s; %s." % (output_of("/usr/sbin/Orthanc", "--version").split("\n")[0], output_of("storescu", "--version").split("\n")[0].strip("$ ")), "",
        "Everything on loopback, every measurement on an empty folder of a fresh process. Senders are DCMTK's storescu, one process an association, their files in memory,",
        "from the start of the first to the end of the last; `TCP_NODELAY=1` for DCMTK's tools and Orthanc unless the row says otherwise.",
        "Orthanc: SQLite, SyncStorageArea, 8 DICOM threads. dcmqrscp: 128 KB PDUs; neither it nor storescp syncs to disk. PacsCluster: its defaults, durable.",
        "Memory is VmHWM, for processes with children the sum over the family, pages that they share once. C-FIND by a Python client on one open association, 1, 10 and 10 answers at every size.", "",
        *table(bench), ""]
    if bench.remarks:
        lines += ["Remarks:", ""] + ["- " + text for text in bench.remarks] + [""]
    lines += bench.appendix
    print("\n".join(lines))
    folder = os.path.join(ROOT, "benchmarks", "results")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, time.strftime("%Y-%m-%d-%H%M", time.localtime(started)) + ("-quick" if bench.quick else "") + ".md")
    with open(path, "w") as file:
        file.write("\n".join(lines))
    print("written to " + os.path.relpath(path, ROOT))


def main():
    parser = argparse.ArgumentParser(prog="benchmarks/run", description="Measures PacsCluster beside its peers on loopback.")
    parser.add_argument("sections", nargs="*", help="of %s (default: all but scale and million)" % " ".join(sections.SECTIONS))
    parser.add_argument("--quick", action="store_true", help="small numbers, one round, no claim to precision")
    parser.add_argument("--rounds", type=int, help="rounds per section (default 3; 1 when quick)")
    parser.add_argument("--servers", nargs="+", metavar="NAME", help="only these: PacsCluster Orthanc dcmqrscp storescp")
    parser.add_argument("--studies", nargs="+", type=int, default=[500, 1000, 200000], help="sizes of the archive for find (default 500 1000 200000)")
    parser.add_argument("--web-studies", nargs="+", type=int, default=[20000, 200000], help="sizes of the archive for qido (default 20000 200000)")
    parser.add_argument("--scale-studies", type=int, default=1_000_000, help="studies of 20 instances for scale (default 1,000,000: 26 GB)")
    parser.add_argument("--scale-keep", action="store_true", help="leave the catalogs of scale in the work folder, for the next run to use")
    parser.add_argument("--executable", help="a published PacsCluster.Server instead of publishing one")
    parser.add_argument("--work", default=os.path.join(ROOT, "benchmarks", "work"), help="folder for files, builds and data (default benchmarks/work; needs 6 GB)")
    arguments = parser.parse_args()
    # A catalog of 26 GB, and a quarter of an hour of storing, are for those who ask.
    names = arguments.sections or [name for name in sections.SECTIONS if name not in ("scale", "million")]
    unknown = [name for name in names if name not in sections.SECTIONS]
    if unknown:
        parser.error("no such section: " + " ".join(unknown))
    for tool in ("storescu", "storescp", "dcmqrscp", "getscu", "movescu", "/usr/sbin/Orthanc"):
        if not shutil.which(tool):
            raise SystemExit("%s is missing: apt-get install dcmtk orthanc" % tool)
    work = os.path.abspath(arguments.work)
    os.makedirs(work, exist_ok=True)
    bench = sections.Bench(work, arguments.quick, arguments.rounds or (1 if arguments.quick else 3), arguments.servers, arguments.studies)
    bench.web_sizes = arguments.web_studies
    bench.scale_studies, bench.scale_keep = arguments.scale_studies, arguments.scale_keep
    if servers.PacsCluster in bench.servers:
        servers.PacsCluster.executable = os.path.abspath(arguments.executable) if arguments.executable else publish(work)
    # So that nothing runs on when this is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    started = time.time()
    try:
        for name in names:
            sections.say("section " + name)
            servers.clear_leftovers()
            sections.SECTIONS[name](bench)
    finally:
        servers.clear_leftovers()
        # What was measured before an interruption is worth its table too.
        if bench.results:
            report(bench, names, started)


main()
