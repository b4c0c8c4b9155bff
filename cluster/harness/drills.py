"""The failure drills: a cluster of its own, a load that counts, a fault, and a look for everything that was acknowledged."""
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import earlier
import senders
from cluster import Cluster
from database import MEMBERS, answer_of
from nodes import ENVIRONMENT
from processes import Processes
from settings import ROOT, SETTINGS, Problem, Settings

# Seconds in which the service must take in again what it refused during a fault.
GRACE_SECONDS = 90
# Of the commits into one study through every node; more is a storm of retries.
CONFLICTS_PERCENT_MAX = 5
# Longest time between two acknowledgements that a sender to a living node may meet while another node dies.
PAUSE_SECONDS_MAX = 1
# A drill during which the machine stood still for longer (it was suspended, or processes were stopped) says nothing, and is done again.
STILL_SECONDS_MAX = 5
TRIES = 3
# Beyond Patroni's ttl: the election, and the nodes' finding the new primary.
FAILOVER_SECONDS_MAX = 5


class Machine:
    """How the machine fared while a drill ran: the longest time in which a thread here that wanted to run did not. Nothing measured beside it is truer than that."""

    TICK_SECONDS = 0.05

    def __init__(self):
        self.stood_still = 0.0

    def watch(self):
        threading.Thread(target=self.tick, daemon=True).start()

    def tick(self):
        while True:
            begun = time.monotonic()
            time.sleep(self.TICK_SECONDS)
            self.stood_still = max(self.stood_still, time.monotonic() - begun - self.TICK_SECONDS)


machine = Machine()


class Row:
    """One line of the table: what was done, and what became of what was acknowledged."""

    def __init__(self, name, done, load, found, wrong, outage=None, remark=""):
        self.name, self.done, self.remark = name, done, remark
        # A figure that the drill must reach, as measured.
        self.figure = ""
        self.machine = "%.0f, stood still %.1f s" % (os.getloadavg()[0], machine.stood_still)
        self.acknowledged, self.found = len(load.acknowledged), found
        self.wrong = wrong
        # Found by looking for what was acknowledged: no excuse for that.
        self.is_lost = bool(wrong)
        self.outage = load.outage() if outage is None else outage
        self.longest_wait = load.longest_wait
        refused = " ".join("%04X ×%d" % pair for pair in sorted(load.refused.items()))
        self.failures = ", ".join(part for part in ("%d broken" % load.broken if load.broken else "", refused) if part) or "none"


    def require(self, words, value, most, unit, allowance=0.0):
        """The figure of this row; over `most` and what the machine is forgiven it is wrong."""
        self.figure = "%s %.1f %s, at most %g" % (words, value, unit, most) + (" + %.1f" % allowance if allowance >= 0.05 else "")
        if value > most + allowance:
            self.wrong.append("%s more than %g %s" % (words, most, unit))


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


def unreadable(load, http_ports, count):
    """What the nodes do not give back as it was sent, of some instances that were acknowledged; a line each."""
    wrong = []
    for instance in random.Random(3).sample(sorted(load.acknowledged), min(count, len(load.acknowledged))):
        for port in http_ports:
            try:
                if load.pixels not in senders.retrieved(port, load.acknowledged[instance], load.series[instance], instance):
                    wrong.append("port %d gives other pixels for %s" % (port, instance))
            except OSError as error:
                wrong.append("port %d does not give %s: %s" % (port, instance, error))
    return wrong


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
    """The drills on a cluster. The last node reaches the database through a proxy, and every node the blobs. `server` is today's program: the cluster's own may be an earlier one."""

    def __init__(self, cluster, quick, server):
        self.cluster, self.quick, self.server = cluster, quick, server
        self.settings, self.nodes, self.database = cluster.settings, cluster.nodes, cluster.database
        self.ports = [self.settings.node_ports(n)[0] for n in self.nodes.numbers()]
        self.http_ports = [self.settings.node_ports(n)[1] for n in self.nodes.numbers()]
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

    def mend(self):
        """Everything runs and passes, whatever a drill that broke off left behind."""
        self.faults.set("pass")
        for member in MEMBERS:
            if self.cluster.processes.pid("patroni-" + member) is None:
                self.database.start_member(member)
        self.database.wait_whole(120)
        for number in self.nodes.numbers():
            if self.cluster.processes.pid(self.nodes.name(number)) is None:
                self.nodes.start(number, wait=False)
        for number in self.nodes.numbers():
            self.nodes.wait_ready(number)

    def load(self, count, **options):
        return senders.Load(self.settings.dicom, self.settings.title, count, **options)

    def row(self, name, done, load, outage=None, remark=""):
        load.stop(GRACE_SECONDS)
        found, wrong = examine(self.ports, self.settings.title, load)
        return Row(name, done, load, found, wrong, outage, remark)

    def warm(self, load, parts=1):
        count = (20 if self.quick else 200) // parts
        if not load.wait_acknowledged(count, 120):
            raise Problem("no %d instances were acknowledged in 120 s before the fault; refused: %s, broken: %d" % (count, load.refused, load.broken))

    def node_kill(self):
        times = 3 if self.quick else 20
        source = random.Random(1)
        down = {number: [] for number in self.nodes.numbers()}
        with self.watched() as (load, direct):
            for _ in range(times):
                time.sleep(source.uniform(0.05, 1.5))
                number = source.choice(list(self.nodes.numbers()))
                killed = time.monotonic()
                self.cluster.processes.kill(self.nodes.name(number))
                self.nodes.start(number)
                down[number].append((killed, time.monotonic()))
            pause, allowance = self.pause_of_others(load, direct, down), machine.stood_still
            row = self.row("a node dies", "kill -9 of a node mid-store, %d times, started again at once" % times, load)
        row.require("the other nodes' senders paused", pause, PAUSE_SECONDS_MAX, "s", allowance)
        return row

    @contextlib.contextmanager
    def watched(self):
        """A load through the balancer, and beside it a sender to each node: its times say how long that node paused. All of them share the studies."""
        with contextlib.ExitStack() as stack:
            load = stack.enter_context(self.load(3))
            direct = {n: stack.enter_context(senders.Load(self.settings.node_ports(n)[0], self.settings.title, 1, studies=load.studies)) for n in self.nodes.numbers()}
            for one in (load, *direct.values()):
                self.warm(one, 1 + len(direct))
            yield load, direct

    def pause_of_others(self, load, direct, down):
        """Ends what watched() gave, and makes one load of it; the longest pause of a node's sender while another node was down: node → spans in which it was."""
        for one in (load, *direct.values()):
            one.stop(GRACE_SECONDS)
        for one in direct.values():
            load.join(one)
        return max(senders.longest_pause(one.times, [span for other, spans in down.items() if other != number for span in spans], down.get(number, ()))
                   for number, one in direct.items())

    def primary_kill(self):
        with self.load(16) as load:
            self.warm(load)
            killed = time.monotonic()
            member = self.database.kill_primary()
            if not load.wait_acknowledged(50 if self.quick else 500, 180):
                raise Problem("no writes as before in 180 s after the primary's death")
            remark, allowance = "primary now %s" % self.database.primary(), machine.stood_still
            row = self.row("the database's primary dies", "kill -9 of %s's Patroni and postmaster, 16 associations" % member, load, remark=remark)
            row.outage = load.outage(killed)
        row.require("no writes for", row.outage, self.settings.ttl + FAILOVER_SECONDS_MAX, "s", allowance)
        self.cluster.processes.stop("patroni-" + member)
        self.database.start_member(member)
        self.cluster.processes.wait_until("patroni-" + member, self.database.has_synchronous_standby, 120, "it is no standby again")
        return row

    def database_cut(self):
        seconds = 5 if self.quick else 30
        number = self.settings.nodes
        with self.watched() as (load, direct):
            cut = time.monotonic()
            self.faults.set("cut", *self.database_ports)
            time.sleep(seconds)
            others_ready = all(self.nodes.is_ready(n) for n in self.nodes.numbers() if n != number)
            self.faults.set("pass", *self.database_ports)
            self.nodes.wait_ready(number)
            pause = self.pause_of_others(load, direct, {number: [(cut, time.monotonic())]})
            row = self.row("a node is cut off from the database", "nothing passes between node%d and PostgreSQL for %d s" % (number, seconds), load)
        row.figure = "the other nodes' senders paused %.1f s" % pause
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

    def rolling_upgrade(self):
        """Nodes of an earlier program, restarted as today's one after the other: the first one changes the schema under the others, which serve on; one of those even starts again in it."""
        numbers, before = list(self.nodes.numbers()), self.schema()
        forced = []

        def restart(number):
            if not self.cluster.processes.stop(self.nodes.name(number)):
                forced.append(self.nodes.name(number))
            self.nodes.start(number)

        with self.watched() as (load, direct):
            self.nodes.special[numbers[0]]["executable"] = self.server
            restart(numbers[0])
            after = self.schema()
            at = {n: len(one.acknowledged) for n, one in direct.items()}
            restart(numbers[-1])
            for one in direct.values():
                self.warm(one, 2)
            by_older = sum(len(direct[n].acknowledged) - at[n] for n in numbers[1:])
            programs = self.programs()
            # What the new node stored the older ones give, and the reverse.
            wrong = [text for n in (numbers[0], numbers[-1]) for text in unreadable(direct[n], self.http_ports, 5)]
            for number in numbers[1:]:
                self.nodes.special[number]["executable"] = self.server
                restart(number)
                self.warm(load, 10)
            self.pause_of_others(load, direct, {})
            row = self.row("rolling restart with a migration", "nodes of an earlier program restarted as today's, one after the other; one of the others as it was in between", load)
        row.remark = "schema %d to %d by the first; %d acknowledged then by programs of schema %d" % (before, after, by_older, before)
        row.wrong += wrong
        if after <= before:
            row.wrong.append("the first node changed nothing: the schema was %d, and is %d" % (before, after))
        if len(programs) != 2 or len(self.programs()) != 1:
            row.wrong.append("programs in between were %s, at the end %s" % (programs, self.programs()))
        if forced:
            row.wrong.append("did not stop when asked to: " + " ".join(forced))
        return row

    def schema(self):
        return int(self.database.sql("SELECT max(version) FROM schema_version", user="pacs", database="pacs"))

    def programs(self):
        """Versions of the nodes that live, as the catalog lists them."""
        return sorted(self.database.sql("SELECT DISTINCT software_version FROM node", user="pacs", database="pacs").splitlines())

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
        remark = "%.0f/s; %d commits, %d conflicts" % (4 * each / seconds, commits, conflicts)
        row = self.row("one study through every node", "%d instances over 4 associations" % (4 * each), load, remark=remark)
        if len(load.acknowledged) != 4 * each or load.refused or load.broken:
            row.wrong.append("not every instance was acknowledged at the first try")
        if not self.quick:
            row.require("conflicts", share, CONFLICTS_PERCENT_MAX, "%")
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
# On a cluster that starts with the program of an earlier commit.
UPGRADE = "rolling-upgrade"


def add_arguments(parser):
    parser.add_argument("drills", nargs="*", help="of %s (default: all)" % " ".join([*CLUSTER, UPGRADE, *SINGLE]))
    parser.add_argument("--earlier", metavar="COMMIT", help="for %s: the commit whose program the nodes begin with (default: the newest with an older schema)" % UPGRADE)
    parser.add_argument("--blobs", choices=("azure", "files"), default=SETTINGS["blobs"][0], help="where the cluster's blobs lie (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="fewer kills and shorter cuts: to see that it works")
    parser.add_argument("--work", default=os.path.join(ROOT, "cluster", "local"), help="folder under which the drills put theirs (default cluster/local)")


def table(rows):
    lines = ["| drill | what was done | acknowledged | found after | longest time without an acknowledgement, s | longest wait of one sender, s | failures that senders saw | figure | machine's load | wrong |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        remark = " (%s)" % row.remark if row.remark else ""
        lines.append("| %s | %s%s | %d | %d | %.1f | %.1f | %s | %s | %s | %s |" % (
            row.name, row.done, remark, row.acknowledged, row.found, row.outage, row.longest_wait, row.failures, row.figure, row.machine, "; ".join(row.wrong) or "nothing"))
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
    unknown = [name for name in given.drills if name not in (*CLUSTER, UPGRADE, *SINGLE)]
    if unknown:
        raise Problem("no such drill: " + " ".join(unknown))
    names = given.drills or [*CLUSTER, UPGRADE, *SINGLE]
    server = executable()
    os.makedirs(given.work, exist_ok=True)
    rows, skipped, failed = [], [], []
    machine.watch()

    def attempt(name, drill, mend=lambda: None):
        for tries in range(TRIES, 0, -1):
            say("drill " + name)
            row, problem = None, None
            try:
                mend()
                machine.stood_still = 0.0
                row = drill()
            except Skip as skip:
                skipped.append("%s: %s" % (name, skip))
                say("skipped: %s" % skip)
                return
            except Problem as stopped:
                problem = stopped
            if tries == 1 or machine.stood_still <= STILL_SECONDS_MAX or (row and row.is_lost):
                break
            say("the machine stood still for %.0f s (%s): again" % (machine.stood_still, problem or "; ".join(row.wrong) or "nothing wrong"))
        if row is None:
            failed.append("%s: %s" % (name, problem))
            say("FAILED: %s" % problem)
            return
        rows.append(row)
        say("%s: %d acknowledged, %d found, %s%s" % (name, row.acknowledged, row.found, row.figure + ", " if row.figure else "", "; ".join(row.wrong) or "nothing wrong"))

    of_cluster = [name for name in names if name in CLUSTER]
    if of_cluster:
        try:
            with on_cluster(given, server, server, failed) as drills:
                for name in of_cluster:
                    attempt(name, lambda: CLUSTER[name](drills), drills.mend)
                print("\n" + sizes(drills.database) + "\n")
        except Problem as problem:
            failed.append("the cluster: %s" % problem)
    if UPGRADE in names:
        attempt(UPGRADE, lambda: upgraded(given, server, failed))
    for name in names:
        if name in SINGLE:
            folder = tempfile.mkdtemp(prefix="single-", dir=given.work)
            single = SingleDrills(folder, server, given.quick)
            try:
                attempt(name, lambda: SINGLE[name](single), lambda: single.processes.stop("single"))
            finally:
                single.processes.stop("single")
                shutil.rmtree(folder)
    print("\n" + table(rows))
    for text in skipped:
        print("not drilled: " + text)
    for text in failed:
        print("not finished: " + text)
    return 0 if rows and not failed and not any(row.wrong for row in rows) else 1


def upgraded(given, server, failed):
    commit = given.earlier or earlier.newest_with_older_schema()
    if commit is None:
        raise Skip("the history here has no commit with an older schema (a shallow clone? git fetch --unshallow)")
    say("the server of commit " + commit[:12])
    with on_cluster(given, earlier.server_of(commit, given.work), server, failed) as drills:
        row = drills.rolling_upgrade()
        row.done = row.done.replace("an earlier program", "commit " + commit[:8])
        return row


@contextlib.contextmanager
def on_cluster(given, first, server, failed):
    """The drills on a cluster of their own, of which the nodes begin with the program `first`; every byte verified by `server` at the end."""
    settings = Settings(tempfile.mkdtemp(prefix="drill-", dir=given.work), {"blobs": given.blobs}, first)
    os.chmod(settings.folder, 0o755)
    settings.take_free_ports()
    cluster = Cluster(settings)
    drills = Drills(cluster, given.quick, server)
    try:
        say("bringing up a cluster in " + settings.folder)
        drills.up()
        yield drills
        say("verify: every byte and every count")
        for text in verified(server, drills.nodes.folder(1)):
            failed.append(text)
    finally:
        say("taking it down")
        cluster.down()
