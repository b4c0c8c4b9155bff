"""A series of JPEG 2000 for a peer that takes nothing but uncompressed images: what the server spends on decoding it, on how many cores, in how much memory."""
import os
import shutil
import subprocess
import time

import render
import sections
import servers
import synthetic


def compressed_files(bench):
    """500 smooth CT slices of one series in lossless JPEG 2000 (gdcmconv), generated once; gives the folder, how many and the study."""
    count = 60 if bench.quick else 500
    folder = os.path.join(bench.work, "files", "ct-j2k-%d" % count)
    if not os.path.exists(folder + "/complete"):
        sections.say("generating %d slices of JPEG 2000" % count)
        plain = folder + "-plain"
        shutil.rmtree(plain, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        studies = synthetic.write_files(plain, count, 1, synthetic.CT, "CT", 512, 512)
        render.soften(plain)
        os.makedirs(folder)
        for name in sorted(os.listdir(plain)):
            if name.endswith(".dcm"):
                subprocess.run(["gdcmconv", "--j2k", os.path.join(plain, name), os.path.join(folder, name)], check=True, stdin=subprocess.DEVNULL)
        shutil.copy(plain + "/studies.txt", folder)
        shutil.rmtree(plain)
        open(folder + "/complete", "w").close()
        if len(studies) != 1:
            raise SystemExit("one study was wanted")
    with open(folder + "/studies.txt") as listing:
        return folder, count, listing.read().split()[0]


def check(folder, count, source):
    """Every slice came uncompressed, and the first has the pixels that gdcmconv decodes of its file."""
    import pydicom
    names = sorted(os.listdir(folder))
    if len(names) != count:
        raise SystemExit("%d of %d slices came" % (len(names), count))
    by_uid = {}
    for name in names:
        came = pydicom.dcmread(os.path.join(folder, name))
        if came.file_meta.TransferSyntaxUID.is_compressed or len(came.PixelData) != 512 * 512 * 2:
            raise SystemExit("%s came as %s" % (name, came.file_meta.TransferSyntaxUID.name))
        by_uid[came.SOPInstanceUID] = came.PixelData
    first = os.path.join(source, sorted(n for n in os.listdir(source) if n.endswith(".dcm"))[0])
    judged = folder + ".judged.dcm"
    subprocess.run(["gdcmconv", "--raw", first, judged], check=True, stdin=subprocess.DEVNULL)
    theirs = pydicom.dcmread(judged)
    os.remove(judged)
    if by_uid[theirs.SOPInstanceUID] != theirs.PixelData:
        raise SystemExit("the pixels of %s are not those that GDCM decodes" % first)


def transcode(bench):
    """C-GET of a series of JPEG 2000 by getscu, which asks for uncompressed ones: seconds, CPU seconds a second of them, and peak memory with the codec workers."""
    folder, count, study = compressed_files(bench)
    label = "C-GET of %d CT in JPEG 2000, uncompressed, " % count
    for round_number in range(bench.rounds):
        servers.clear_leftovers()
        with servers.PacsCluster(bench.work) as server:
            store = subprocess.run(["storescu", "-xv", "-aec", server.title, "+sd", "+sp", "*.dcm", "127.0.0.1", str(server.port), folder], stdin=subprocess.DEVNULL, capture_output=True,
                                   env={**os.environ, "TCP_NODELAY": "1"})
            if store.returncode != 0:
                raise SystemExit("storescu: " + store.stderr.decode(errors="replace")[-500:])
            to = os.path.join(server.folder, "got")
            os.makedirs(to)
            for measured in (False, True):
                # The first time starts the workers and warms the code, and its answer is looked at; the second is measured.
                command = ["getscu", "-S", "-aec", server.title, "127.0.0.1", str(server.port), "-k", "0008,0052=STUDY", "-k", "0020,000d=" + study]
                command += ["--ignore"] if measured else ["-od", to]
                cpu, started = server.watch.cpu_seconds(), time.monotonic()
                got = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, "TCP_NODELAY": "1"})
                seconds, cpu = time.monotonic() - started, server.watch.cpu_seconds() - cpu
                if got.returncode != 0:
                    raise SystemExit("getscu ended with %d: %s" % (got.returncode, got.stderr.decode(errors="replace")[-500:]))
                if not measured:
                    check(to, count, folder)
            peak = server.watch.peak_bytes / 1e6
            bench.add(label + "instances/s", server.name, count / seconds)
            bench.add(label + "server CPU s a second (of %d cores)" % os.cpu_count(), server.name, cpu / seconds)
            bench.add(label + "peak memory with workers, MB", server.name, peak)
            sections.say("%-18s %.1f instances/s, %.2f cores, peak %.0f MB" % (server.name, count / seconds, cpu / seconds, peak))


SECTIONS = {"transcode": transcode}
