"""The failure drills: a cluster of its own, a load that counts, a fault, and a look for everything that was acknowledged."""
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import senders
from cluster import Cluster
from database import answer_of
from nodes import ENVIRONMENT
from processes import Processes
from settings import ROOT, SETTINGS, Problem, Settings

# Seconds in which the service must take in again what it refused during a fault.
GRACE_SECONDS = 90
# Of the commits into one study through every node; more is a storm of retries.
CONFLICTS_PERCENT_MAX = 5


class Row:
    """One line of the table: what was done, and what became of what was acknowledged."""

    def __init__(self, name, done, load, found, wrong, outage=None, remark=""):
        self.name, self.done, self.remark = name, done, remark
        self.acknowledged, self.found = len(load.acknowledged), found
        self.wrong = wrong
        self.outage = load.outage() if outage is None else outage
        self.longest_wait = load.longest_wait
        refused = " ".join("%04X ×%d" % pair for pair in sorted(load.refused.items()))
        self.failures = ", ".join(part for part in ("%d broken" % load.broken if load.broken else "", refused) if part) or "none"


def say(text):
    print("%s  %s" % (time.strftime("%H:%M:%S"), text), flush=True)


def examine(ports, title, load):
    """What every port finds of the load's studies; the number of acknowledged instances that all of them found, and what is wrong, a line each."""
    wrong = []
    if load.given_up:
        wrong.append("%d instances were not acknowledged %d s after the fault" % (len(load.given_up), GRACE_SECONDS))
    if not load.acknowledged:
        wrong.append("nothing was acknowledged at all")
    everywhere = set(load.acknowledged)
    for port in ports:
        found_here = set()
        for study in load.studies:
            count, instances = senders.found_in(port, title, study.uid)
            if len(set(instances)) != len(instances):
                wrong.append("port %d lists %d instances of %s twice" % (port, len(instances) - len(set(instances)), study.uid))
            if count != len(set(instances)):
                wrong.append("port %d counts %d instances of %s and lists %d" % (port, count, study.uid, len(set(instances))))
            strangers = set(instances) - load.sent
            if strangers:
                wrong.append("port %d lists %d instances that nobody sent" % (port, len(strangers)))
            found_here.update(i for i in instances if load.acknowledged.get(i, study.uid) == study.uid)
        lost = set(load.acknowledged) - found_here
        if lost:
            wrong.append("port %d lacks %d acknowledged instances, the first %s" % (port, len(lost), sorted(lost)[0]))
        everywhere &= found_here
    return len(everywhere), wrong


class Faults:
    """The proxies of faults.py, in a process of their own."""

    def __init__(self, processes, control, pairs):
        self.processes, self.control, self.pairs = processes, control, pairs

    def start(self):
        command = [sys.executable, os.path.join(os.path.dirname(__file__), "faults.py"), str(self.control)]
        self.processes.start("faults", command + ["%d:%d" % pair for pair in self.pairs])
        self.processes.wait_until("faults", lambda: self.ask("pass"), 20, "it does not answer")

    def ask(self, mode):
        try:
            with socket.create_connection(("127.0.0.1", self.control), 5) as control:
                control.sendall((mode + "\n").encode())
                return control.recv(16) == b"ok\n"
        except OSError:
            return False

    def set(self, mode, *ports):
        """Sets the mode of some of the proxies."""
        if not self.ask(" ".join([mode, *map(str, ports)])):
            raise Problem("the proxy of faults does not obey")


class Drills:
    """The drills on a cluster. The last node reaches the database through a proxy, and every node the blobs."""

    def __init__(self, cluster, quick):
        self.cluster, self.quick = cluster, quick
        self.settings, self.nodes, self.database = cluster.settings, cluster.nodes, cluster.database
        self.ports = [self.settings.node_ports(n)[0] for n in self.nodes.numbers()]
        spare = self.settings.spare_ports
        self.database_ports, self.blob_port = spare[1:3], spare[3]
        pairs = [(port, self.database.port(member)) for port, member in zip(self.database_ports, ("db1", "db2"))]
        self.faults = Faults(cluster.processes, spare[0], pairs + [(self.blob_port, self.settings.azurite)])

    def up(self):
        # After the folder is there and before the nodes start.
        self.cluster.prepare()
        self.faults.start()
        for number in self.nodes.numbers():
            self.nodes.special[number] = {"blob_port": self.blob_port}
        self.nodes.special[self.settings.nodes]["connection_string"] = self.database.connection_string(self.database_ports)
        self.cluster.up()

    def load(self, count, **options):
        return senders.Load(self.settings.dicom, self.settings.title, count, **options)

    def row(self, name, done, load, outage=None, remark=""):
        load.stop(GRACE_SECONDS)
        found, wrong = examine(self.ports, self.settings.title, load)
        return Row(name, done, load, found, wrong, outage, remark)

    def warm(self, load):
        count = 20 if self.quick else 200
        if not load.wait_acknowledged(count, 120):
            raise Problem("no %d instances were acknowledged in 120 s before the fault; refused: %s, broken: %d" % (count, load.refused, load.broken))

    def node_kill(self):
        times = 3 if self.quick else 20
        source = random.Random(1)
        with self.load(6) as load:
            self.warm(load)
            for _ in range(times):
                time.sleep(source.uniform(0.05, 1.5))
                number = source.choice(list(self.nodes.numbers()))
                self.cluster.processes.kill(self.nodes.name(number))
                self.nodes.start(number)
            return self.row("a node dies", "kill -9 of a node mid-store, %d times, started again at once" % times, load)

    def primary_kill(self):
        with self.load(16) as load:
            self.warm(load)
            killed = time.monotonic()
            member = self.database.kill_primary()
            if not load.wait_acknowledged(50 if self.quick else 500, 180):
                raise Problem("no writes as before in 180 s after the primary's death")
            remark = "primary now %s" % self.database.primary()
            row = self.row("the database's primary dies", "kill -9 of %s's Patroni and postmaster, 16 associations" % member, load, remark=remark)
            row.outage = load.outage(killed)
        self.cluster.processes.stop("patroni-" + member)
        self.database.start_member(member)
        self.cluster.processes.wait_until("patroni-" + member, self.database.has_synchronous_standby, 120, "it is no standby again")
        return row

    def database_cut(self):
        seconds = 5 if self.quick else 30
        number = self.settings.nodes
        with self.load(6) as load:
            self.warm(load)
            self.faults.set("cut", *self.database_ports)
            time.sleep(seconds)
            others_ready = all(self.nodes.is_ready(n) for n in self.nodes.numbers() if n != number)
            self.faults.set("pass", *self.database_ports)
            self.nodes.wait_ready(number)
            row = self.row("a node is cut off from the database", "nothing passes between node%d and PostgreSQL for %d s" % (number, seconds), load)
        if not others_ready:
            row.wrong.append("the other nodes were not ready during the cut")
        return row

    def blobs_gone(self):
        return self.blob_fault("refuse", 5 if self.quick else 30, "the blob store is down", "Azurite's connections are refused for %d s")

    def blobs_refuse(self):
        return self.blob_fault("503", 5 if self.quick else 30, "the blob store answers 503", "every request is answered so for %d s")

    def blobs_slow(self):
        return self.blob_fault("delay:0.5", 5 if self.quick else 30, "the blob store is slow", "every request comes 500 ms late for %d s")

    def blob_fault(self, mode, seconds, name, done):
        if self.settings.blobs == "files":
            raise Skip("the blobs are files")
        with self.load(6) as load:
            self.warm(load)
            before = len(load.acknowledged)
            self.faults.set(mode, self.blob_port)
            time.sleep(seconds)
            remark = "%d acknowledged meanwhile" % (len(load.acknowledged) - before)
            self.faults.set("pass", self.blob_port)
            return self.row(name, done % seconds, load, remark=remark)

    def rolling_restart(self):
        with self.load(6) as load:
            self.warm(load)
            forced = []
            for number in self.nodes.numbers():
                name = self.nodes.name(number)
                if not self.cluster.processes.stop(name):
                    forced.append(name)
                self.nodes.start(number)
                load.wait_acknowledged(20, 30)
            row = self.row("rolling restart", "SIGTERM and start of each node in turn", load)
        if forced:
            row.wrong.append("did not stop when asked to: " + " ".join(forced))
        return row

    def same_name(self):
        """A further node that says it is node1. What nodes say of themselves is for people: both must store as always, and one must complain."""
        number = self.settings.nodes + 1
        self.nodes.special[number] = {"said_name": self.nodes.name(1)}
        self.nodes.start(number)
        try:
            with senders.Load(self.settings.node_ports(1)[0], self.settings.title, 3, studies=1) as first, \
                    senders.Load(self.settings.node_ports(number)[0], self.settings.title, 3, studies=first.studies) as twin:
                self.warm(first)
                self.warm(twin)
                twin.stop(GRACE_SECONDS)
                first.stop(GRACE_SECONDS)
                first.join(twin)
                row = self.row("two nodes have one name", "a further node started as node1, 3 associations to each", first)
            with open(self.cluster.processes.log(self.nodes.name(number))) as log:
                if "Another node has the name " + self.nodes.name(1) not in log.read():
                    row.wrong.append("the further node's log does not complain")
            return row
        finally:
            self.end_further_node(number)

    def end_further_node(self, number):
        """The next one with its number must not find its folder, nor the link to its blobs."""
        self.cluster.processes.stop(self.nodes.name(number))
        shutil.rmtree(self.nodes.folder(number))
        del self.nodes.special[number]

    def hot_study(self):
        """Every node writes the same study; a commit that another node was ahead of is decided again."""
        each = 50 if self.quick else 750
        commits, conflicts = (self.nodes.metric("pacscluster_commit_" + name) for name in ("duration_seconds_count", "conflicts_total"))
        with self.load(4, studies=1, each=each) as load:
            load.wait_sent(600)
        seconds = time.monotonic() - load.started
        commits = self.nodes.metric("pacscluster_commit_duration_seconds_count") - commits
        conflicts = self.nodes.metric("pacscluster_commit_conflicts_total") - conflicts
        share = 100 * conflicts / max(1, commits)
        remark = "%.0f/s; %d commits, %d conflicts, %.1f %%" % (4 * each / seconds, commits, conflicts, share)
        row = self.row("one study through every node", "%d instances over 4 associations" % (4 * each), load, remark=remark)
        if len(load.acknowledged) != 4 * each or load.refused or load.broken:
            row.wrong.append("not every instance was acknowledged at the first try")
        if share >= CONFLICTS_PERCENT_MAX and not self.quick:
            row.wrong.append("%d %% of the commits or more met a conflict" % CONFLICTS_PERCENT_MAX)
        return row

    def backup(self):
        """The runbook's backup while instances come in, restored beside: what was acknowledged before the dump is there, byte by byte."""
        number = self.settings.nodes + 1
        dump, blobs = self.settings.path("catalog.dump"), self.settings.path("restored-blobs")
        with self.load(6) as load:
            self.warm(load)
            before = dict(load.acknowledged)
            self.database.tool("pg_dump", "--format=custom", "--file=" + dump, user="pacs", database="pacs")
            if self.settings.blobs == "files":
                shutil.copytree(self.settings.path("blobs"), blobs, ignore=lambda folder, names: ["tmp"] if folder == self.settings.path("blobs") else [])
            load.stop(GRACE_SECONDS)
        load.acknowledged = before
        self.database.make_catalog("restored")
        self.database.tool("pg_restore", "--no-owner", dump, user="pacs", database="restored")
        self.nodes.special[number] = {"connection_string": self.database.connection_string(name="restored"), "blobs": blobs, "engine": {"ReminderConcurrency": 0}}
        self.nodes.start(number)
        try:
            found, wrong = examine([self.settings.node_ports(number)[0]], self.settings.title, load)
            wrong += verified(self.settings.executable, self.nodes.folder(number))
            copied = "pg_dump and then a copy of the blobs" if self.settings.blobs == "files" else "pg_dump (blobs never change, and stay where they are)"
            return Row("backup and restore", copied + ", under load; restored beside and verified", load, found, wrong)
        finally:
            self.end_further_node(number)


class SingleDrills:
    """The drills on one node with SQLite and files, in a folder that can be a small disk."""

    def __init__(self, folder, executable, quick):
        self.folder, self.executable, self.quick = folder, executable, quick
        self.processes = Processes(folder)
        self.settings = Settings(folder, executable=executable)
        self.settings.take_free_ports()
        self.data = os.path.join(folder, "data")

    def start(self):
        s = self.settings
        command = [self.executable, "serve", "--data", self.data, "--dicom-port", str(s.node_dicom), "--http-port", str(s.node_http)]
        self.processes.start("single", command, environment=ENVIRONMENT)
        self.processes.wait_until("single", lambda: (answer_of(s.node_http, "/health/live") or (0, ""))[0] == 200, 60, "it is not alive")

    def load(self, count, **options):
        return senders.Load(self.settings.node_dicom, self.settings.title, count, **options)

    def row(self, name, done, load, remark=""):
        load.stop(GRACE_SECONDS)
        found, wrong = examine([self.settings.node_dicom], self.settings.title, load)
        self.processes.stop("single")
        wrong += verified(self.executable, self.data)
        return Row(name, done, load, found, wrong, remark=remark)

    def kill(self):
        times = 3 if self.quick else 20
        source = random.Random(2)
        self.start()
        with self.load(6) as load:
            for _ in range(times):
                load.wait_acknowledged(1, 60)
                time.sleep(source.uniform(0.02, 1.0))
                self.processes.kill("single")
                self.start()
            return self.row("a single node dies", "kill -9 mid-store, %d times, started again at once; SQLite and files" % times, load)

    def disk_full(self):
        """The data folder on a tmpfs of 64 MiB that another file fills while instances come in."""
        if os.geteuid() != 0:
            raise Skip("mounting a small disk needs root")
        os.makedirs(self.data, exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.data], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if mounted.returncode:
            raise Skip("a tmpfs cannot be mounted here: " + mounted.stderr.strip())
        try:
            self.start()
            with self.load(4, side=64, pause=0.02) as load:
                if not load.wait_acknowledged(20, 60):
                    raise Problem("nothing is stored before the disk is full")
                ballast = os.path.join(self.data, "ballast")
                fill(ballast)
                until = time.monotonic() + 60
                while not load.refused and not load.broken and time.monotonic() < until:
                    time.sleep(0.05)
                time.sleep(2)
                refused = dict(load.refused)
                os.unlink(ballast)
                row = self.row("a node's disk is full", "another file takes the rest of the data folder's disk for 2 s, then goes", load)
            if not refused:
                row.wrong.append("no store was refused while the disk was full")
            return row
        finally:
            self.processes.stop("single")
            subprocess.run(["umount", self.data], stdin=subprocess.DEVNULL, check=True)


class Skip(Exception):
    """A drill that this machine cannot do, and why."""


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def verified(executable, data):
    """`verify` reads every byte of every blob and recomputes every count; what it finds wrong, a line each."""
    done = subprocess.run([executable, "verify", "--data", data], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600)
    return [] if done.returncode == 0 else ["verify ended with %d: %s" % (done.returncode, " / ".join((done.stdout + done.stderr).split("\n")[-6:]))]


SINGLE = {"single-kill": SingleDrills.kill, "disk-full": SingleDrills.disk_full}
CLUSTER = {"node-kill": Drills.node_kill, "primary-kill": Drills.primary_kill, "database-cut": Drills.database_cut,
           "blobs-gone": Drills.blobs_gone, "blobs-503": Drills.blobs_refuse, "blobs-slow": Drills.blobs_slow,
           "rolling-restart": Drills.rolling_restart, "same-name": Drills.same_name, "hot-study": Drills.hot_study, "backup": Drills.backup}


def add_arguments(parser):
    parser.add_argument("drills", nargs="*", help="of %s (default: all)" % " ".join([*CLUSTER, *SINGLE]))
    parser.add_argument("--blobs", choices=("azure", "files"), default=SETTINGS["blobs"][0], help="where the cluster's blobs lie (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="fewer kills and shorter cuts: to see that it works")
    parser.add_argument("--work", default=os.path.join(ROOT, "cluster", "local"), help="folder under which the drills put theirs (default cluster/local)")


def table(rows):
    lines = ["| drill | what was done | acknowledged | found after | longest time without an acknowledgement, s | longest wait of one sender, s | failures that senders saw | wrong |",
             "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        remark = " (%s)" % row.remark if row.remark else ""
        lines.append("| %s | %s%s | %d | %d | %.1f | %.1f | %s | %s |" % (
            row.name, row.done, remark, row.acknowledged, row.found, row.outage, row.longest_wait, row.failures, "; ".join(row.wrong) or "nothing"))
    return "\n".join(lines)


def sizes(database):
    """The catalog's size, for SIZING.md."""
    tables = database.sizes()
    instances = max([rows for name, rows, _, _ in tables if name == "instance"], default=1)
    lines = ["| table | rows | table, bytes per instance | indexes, bytes per instance |", "|---|---|---|---|"]
    lines += ["| %s | %d | %.0f | %.0f |" % (name, rows, table / instances, index / instances) for name, rows, table, index in tables]
    lines.append("| all | | %.0f | %.0f |" % (sum(t[2] for t in tables) / instances, sum(t[3] for t in tables) / instances))
    return "\n".join(lines) + "\n%d instances, %d connections open" % (instances, database.connections())


def run(given, executable):
    unknown = [name for name in given.drills if name not in CLUSTER and name not in SINGLE]
    if unknown:
        raise Problem("no such drill: " + " ".join(unknown))
    names = given.drills or [*CLUSTER, *SINGLE]
    server = executable()
    os.makedirs(given.work, exist_ok=True)
    rows, skipped, failed = [], [], []

    def attempt(name, drill):
        say("drill " + name)
        try:
            rows.append(drill())
            say("%s: %d acknowledged, %d found, %s" % (name, rows[-1].acknowledged, rows[-1].found, "; ".join(rows[-1].wrong) or "nothing wrong"))
        except Skip as skip:
            skipped.append("%s: %s" % (name, skip))
            say("skipped: %s" % skip)
        except Problem as problem:
            failed.append("%s: %s" % (name, problem))
            say("FAILED: %s" % problem)

    of_cluster = [name for name in names if name in CLUSTER]
    if of_cluster:
        on_cluster(given, server, of_cluster, attempt, failed)
    for name in names:
        if name in SINGLE:
            folder = tempfile.mkdtemp(prefix="single-", dir=given.work)
            single = SingleDrills(folder, server, given.quick)
            try:
                attempt(name, lambda: SINGLE[name](single))
            finally:
                single.processes.stop("single")
                shutil.rmtree(folder)
    print("\n" + table(rows))
    for text in skipped:
        print("not drilled: " + text)
    for text in failed:
        print("not finished: " + text)
    return 0 if rows and not failed and not any(row.wrong for row in rows) else 1


def on_cluster(given, server, names, attempt, failed):
    """The drills on one cluster, one after the other."""
    settings = Settings(tempfile.mkdtemp(prefix="drill-", dir=given.work), {"blobs": given.blobs}, server)
    os.chmod(settings.folder, 0o755)
    settings.take_free_ports()
    cluster = Cluster(settings)
    drills = Drills(cluster, given.quick)
    try:
        say("bringing up a cluster in " + settings.folder)
        drills.up()
        for name in names:
            attempt(name, lambda: CLUSTER[name](drills))
        print("\n" + sizes(cluster.database) + "\n")
        say("verify: every byte and every count")
        for text in verified(server, drills.nodes.folder(1)):
            failed.append(text)
    finally:
        say("taking it down")
        cluster.down()
