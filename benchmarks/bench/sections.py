"""What is measured: each section gives rows of a table; servers alternate within every round, medians over the rounds."""
import contextlib
import gc
import itertools
import os
import random
import sqlite3
import statistics
import subprocess
import time

import codecs_section
import servers
import synthetic
from association import Association, study_identifier
from product import Fill


def say(text):
    print("%s  %s" % (time.strftime("%H:%M:%S"), text), flush=True)


class Bench:
    """The settings of one run and the median of what it measured: results[(row, column)] = list of values."""

    def __init__(self, work, quick, rounds, peers, sizes):
        self.work, self.quick, self.rounds, self.sizes = work, quick, rounds, sizes
        self.servers = [s for s in (servers.PacsCluster, servers.Orthanc, servers.Dcmqrscp, servers.Storescp, servers.StorescpIgnore)
                        if not peers or s.name.split()[0] in peers]
        self.results = {}
        self.remarks = []
        # Lines that follow the table.
        self.appendix = []

    def add(self, row, column, value):
        self.results.setdefault((row, column), []).append(value)

    def median(self, row, column):
        values = self.results.get((row, column))
        return statistics.median(values) if values else None

    def remark(self, text):
        if text not in self.remarks:
            self.remarks.append(text)
            say(text)

    def files(self, kind):
        """Folder and study UIDs of one set of files, generated once."""
        ct = (synthetic.CT, "CT")
        shape = {
            "ct": (200 if self.quick else 2000, 2, *ct, 512, 512),
            "ct40k": (200 if self.quick else 2000, 2, *ct, 142, 142),
            "warm-up": (200 if self.quick else 2000, 8, *ct, 142, 142),
            "warm-up-24": (240 if self.quick else 6000, 24, *ct, 142, 142),
            "ct-24": (240 if self.quick else 2016, 24, *ct, 512, 512),
            "ct40k-250": (50 if self.quick else 250, 1, *ct, 142, 142),
            # 35 frames of 800 x 600 RGB: 50.4 MB.
            "us50m": (8 if self.quick else 24, 8, synthetic.US_MULTIFRAME, "US", 600, 800, 35),
        }[kind]
        folder = os.path.join(self.work, "files", kind + ("-quick" if self.quick else ""))
        if not os.path.exists(folder + "/complete"):
            say("generating %d files of %s" % (shape[0], kind))
        return folder, shape[0], synthetic.write_files(folder, *shape)


def read_ahead(folders):
    """Reads every file, so that senders take theirs from memory: a machine that gives the page cache back after half a minute (DAMON) would else have them read beside what the server writes."""
    piece = bytearray(1 << 20)
    for folder in folders:
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb", buffering=0) as file:
                while file.readinto(piece):
                    pass


def send(bench, server, folder, associations, no_delay=True, run=1):
    """Instances per second of parallel storescu processes, from the start of the first to the end of the last. Files are dealt out to them `run` in turn."""
    shares = synthetic.shares(folder, os.path.join(bench.work, "shares"), associations, run)
    kept_before = server.kept() or 0
    count = sum(len(os.listdir(share)) for share in shares)
    environment = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    if no_delay:
        environment["TCP_NODELAY"] = "1"
    command = ["storescu", "-aec", server.title, "+sd", "127.0.0.1"]
    read_ahead(shares)
    cpu = server.watch.cpu_seconds()
    started = time.monotonic()
    senders = [subprocess.Popen(command + [str(port), share], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
               for share, port in zip(shares, itertools.cycle(server.ports))]
    outputs = [sender.communicate()[0].decode(errors="replace") for sender in senders]
    seconds = time.monotonic() - started
    cpu = server.watch.cpu_seconds() - cpu
    failed = [(sender, output) for sender, output in zip(senders, outputs) if sender.returncode != 0 or "E:" in output]
    if failed:
        # What is not kept does not count: a server that refuses is not faster for it.
        kept = server.kept()
        kept = kept and kept - kept_before
        sender, output = failed[0]
        bench.remark("%s, %d associations: %d of %d senders failed (storescu ended with %d%s), %s of %d instances kept" % (
            server.name, associations, len(failed), len(senders), sender.returncode,
            next((": " + line for line in output.splitlines() if "E:" in line or "F:" in line), ""), kept, count))
        count = kept or count
    return count / seconds, cpu / count


def settle(bench, server):
    """Waits until what came before is on the disk, the disk is as fast as it can be, and the server has nothing left to do of it (a database writes on, a runtime compiles what it
    found to be hot), 10 s at most for the server."""
    os.sync()
    if slow := servers.Disk.wait(bench.work):
        bench.remark("not waited for any longer: " + slow)
    for _ in range(20):
        before = server.watch.cpu_seconds()
        time.sleep(0.5)
        if server.watch.cpu_seconds() - before < 0.03:
            return


def store(bench):
    """C-STORE of three sizes over 1, 4 and 8 associations. Every server first takes in 2,000 instances of 40 KB of other studies over as many associations, and comes to rest:
    what a server that has run for a minute does is measured, not its first seconds. Another server begins each round."""
    warm_up, _, _ = bench.files("warm-up")
    for kind, label in (("ct", "CT 0.5 MB"), ("ct40k", "40 KB"), ("us50m", "50 MB")):
        folder, _, _ = bench.files(kind)
        for round_number in range(bench.rounds):
            servers.clear_leftovers()
            first = round_number % len(bench.servers)
            for associations in (1, 4, 8):
                for server_class in bench.servers[first:] + bench.servers[:first]:
                    with server_class(bench.work) as server:
                        send(bench, server, warm_up, associations)
                        settle(bench, server)
                        rate, cpu = send(bench, server, folder, associations)
                        row = "C-STORE %s, %d association%s, instances/s" % (label, associations, "s" if associations > 1 else "")
                        bench.add(row, server.name, rate)
                        peak = server.watch.peak_bytes / 1e6
                        if kind == "ct":
                            bench.add("server CPU per CT instance, %d association%s, ms" % (associations, "s" if associations > 1 else ""), server.name, cpu * 1000)
                        if kind == "us50m" and associations == 8:
                            bench.add("peak memory, eight 50 MB associations, MB", server.name, peak)
                        say("%-18s %s: %.1f (%.2f ms CPU, peak %.0f MB)" % (server.name, row, rate, cpu * 1000, peak))


def nagle(bench):
    """storescu as hospitals run it: nobody sets TCP_NODELAY; and the same with it."""
    folder, _, _ = bench.files("ct40k-250")
    for round_number in range(bench.rounds):
        for server_class in bench.servers:
            for no_delay in (False, True):
                with server_class(bench.work, no_delay=no_delay) as server:
                    rate, _ = send(bench, server, folder, 1, no_delay=no_delay)
                    row = "40 KB, 1 association, storescu %s TCP_NODELAY, instances/s" % ("with" if no_delay else "without")
                    bench.add(row, server.name, rate)
                    say("%-18s %s: %.1f" % (server.name, row, rate))


def retrieve(bench):
    """C-GET and C-MOVE of one study to clients that throw the pixels away; the move goes to a storescp of its own, because movescu's built-in
    receiver waits up to a second at its end."""
    folder, count, studies = bench.files("ct")
    per_study = count // len(studies)
    running = [s(bench.work) for s in bench.servers if s.indexed]
    receivers = []
    try:
        for server in running:
            server.start()
            receivers.append(servers.StorescpIgnore(bench.work))
            receivers[-1].port = server.move_port
            receivers[-1].start()
            send(bench, server, folder, 1)
        for round_number in range(bench.rounds * 2):
            for server in running:
                for verb in ("C-GET", "C-MOVE"):
                    keys = ["-k", "0008,0052=STUDY", "-k", "0020,000d=" + studies[round_number % len(studies)]]
                    if verb == "C-GET":
                        command = ["getscu", "-S", "--ignore", "-aec", server.title, "127.0.0.1", str(server.port)] + keys
                    else:
                        command = ["movescu", "-S", "-aet", "MOVESCU", "-aec", server.title, "-aem", "MOVESCU",
                                   "127.0.0.1", str(server.port)] + keys
                    cpu = server.watch.cpu_seconds()
                    started = time.monotonic()
                    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, "TCP_NODELAY": "1"})
                    seconds = time.monotonic() - started
                    cpu = server.watch.cpu_seconds() - cpu
                    if ended.returncode != 0:
                        bench.remark("%s: %s ended with %d: %s" % (server.name, verb, ended.returncode, ended.stderr.decode(errors="replace")[:200]))
                    bench.add("%s of a study of %d CT, instances/s" % (verb, per_study), server.name, per_study / seconds)
                    bench.add("server CPU per instance of %s, ms" % verb, server.name, cpu / per_study * 1000)
                    say("%-18s %s: %.0f/s, %.2f ms CPU" % (server.name, verb, per_study / seconds, cpu / per_study * 1000))
    finally:
        for server in receivers + running:
            server.stop()


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


FIND_NAMED, FIND_DATED = 10, 10
# Larger archives are these files on top of a catalog that CatalogFill made.
FIND_STORED_MAX, FIND_ON_TOP = 20_000, 1000


def find_files(bench, count):
    """One tiny instance a study; always 10 names that begin with QU and 10 studies on 2009-05-17, however many studies there are: nobody else has those,
    nor do the studies that CatalogFill makes."""
    folder = os.path.join(bench.work, "files", "find-%d" % count)
    if not os.path.exists(folder + "/complete"):
        say("generating %d studies" % count)

    def name(number):
        return "QUINN%d^ANNA" % number if number < FIND_NAMED else None

    def date(number):
        return "20090517" if FIND_NAMED <= number < FIND_NAMED + FIND_DATED else "20%02d%02d%02d" % (10 + number % 13, 1 + number % 12, 1 + number % 28)
    synthetic.write_files(folder, count, count, synthetic.CT, "CT", 4, 4, names=name, dates=date)
    return folder


def patient_ids(server, count):
    """Patient IDs with one study each, from the whole archive: of a filled catalog by asking it, since not every number of its is a patient's."""
    if count <= FIND_STORED_MAX:
        return [b"BENCH%07d" % number for number in range(count)]
    catalog = sqlite3.connect("file:%s?mode=ro" % os.path.join(server.folder, "catalog.db"), uri=True)
    with contextlib.closing(catalog):
        return [row[0].encode() for row in catalog.execute(
            "SELECT p.patient_id FROM patient p JOIN study s ON s.patient_key = p.patient_key GROUP BY p.patient_key HAVING count(*) = 1 ORDER BY random() LIMIT 20000")]


def measure_find(bench, server, count):
    searches = 300 if bench.quick else 2000
    source = random.Random(1)
    ids = patient_ids(server, count)
    queries = {
        "Patient ID": (lambda: study_identifier(patient_id=source.choice(ids)), 1),
        "name QU*": (lambda: study_identifier(name=b"QU*"), FIND_NAMED),
        "date range": (lambda: study_identifier(date=b"20090516-20090518"), FIND_DATED),
    }
    for label, (identifier, expected) in queries.items():
        association = Association(server.port, server.title)
        for _ in range(50 if bench.quick else 300):
            found = association.find(identifier())
        if found != expected:
            bench.remark("%s at %d studies: %s found %d, expected %d" % (server.name, count, label, found, expected))
        times = []
        gc.disable()
        for _ in range(searches):
            question = identifier()
            started = time.perf_counter()
            association.find(question)
            times.append((time.perf_counter() - started) * 1000)
        gc.enable()
        association.close()
        for share, percent in ((0.5, "p50"), (0.99, "p99")):
            bench.add("C-FIND %s at %s studies, %s, ms" % (label, format(count, ","), percent), server.name, percentile(times, share))
        say("%-18s C-FIND %s at %d: p50 %.2f, p99 %.2f ms" % (server.name, label, count, percentile(times, 0.5), percentile(times, 0.99)))


def find(bench):
    """C-FIND on an open association: archives loaded by C-STORE of one tiny instance a study, large ones of ours by CatalogFill for the most part."""
    for count in (500,) if bench.quick else bench.sizes:
        is_filled = count > FIND_STORED_MAX
        folder = find_files(bench, FIND_ON_TOP if is_filled else count)
        # dcmqrscp holds 500 studies at most; 200,000 are in ours only.
        running = [s(bench.work) for s in bench.servers if s.indexed
                   and (count <= 500 or s is not servers.Dcmqrscp) and (count <= 5000 or s is servers.PacsCluster)]
        try:
            for server in running:
                if is_filled:
                    os.makedirs(server.folder)
                    started = time.monotonic()
                    Fill(bench.work).run("fill", "--sqlite", os.path.join(server.folder, "catalog.db"), "--studies", count - FIND_ON_TOP, "--instances", 0)
                    bench.remark("C-FIND at %s studies: %s of them written by CatalogFill through the catalog's own commits, 500 studies each, in %.0f s; %s by C-STORE." % (
                        format(count, ","), format(count - FIND_ON_TOP, ","), time.monotonic() - started, format(FIND_ON_TOP, ",")))
                server.start()
                # dcmqrscp loses some when several associations store at once.
                rate, _ = send(bench, server, folder, 1 if isinstance(server, servers.Dcmqrscp) else 4)
                say("%-18s %d studies stored at %.0f/s" % (server.name, FIND_ON_TOP if is_filled else count, rate))
            for round_number in range(bench.rounds):
                for server in running:
                    measure_find(bench, server, count)
        finally:
            for server in running:
                server.stop()


def start(bench):
    """Start to the first successful C-ECHO, and resident memory after ten idle seconds."""
    for round_number in range(bench.rounds):
        for server_class in bench.servers:
            if not server_class.indexed:
                continue
            with server_class(bench.work) as server:
                bench.add("start to first C-ECHO, s", server.name, server.start_seconds)
                time.sleep(2 if bench.quick else 10)
                resident = server.resident_bytes() / 1e6
                bench.add("resident when idle, MB", server.name, resident)
                say("%-18s start %.2f s, idle %.0f MB" % (server.name, server.start_seconds, resident))


SECTIONS = {"store": store, "nagle": nagle, "retrieve": retrieve, "find": find, "start": start, "codecs": codecs_section.codecs, "soak": codecs_section.soak}
