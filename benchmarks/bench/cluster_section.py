"""C-STORE on PostgreSQL: a node of ours, three of them on one catalog and one folder of blobs, and a node with its blobs in Azurite, beside Orthanc with its PostgreSQL plugin.
Each has a PostgreSQL of its own with the defaults of initdb, so that a commit is on disk when it is answered."""
import concurrent.futures
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import time
import types

import servers
from postgres import Postgres
from product import ROOT
from sections import say, send, settle

sys.path.append(os.path.join(ROOT, "cluster", "harness"))
import blobstore

DATABASE = "bench"


class System:
    """PostgreSQL and the servers on it, started by `with`: what `send` wants of a server."""
    name = ""
    server_class = servers.PacsCluster
    counts = ()
    kept_sql = ""

    def __init__(self, work):
        self.work = work
        self.postgres = Postgres(os.path.join(work, "data-postgres-%d" % time.monotonic_ns()))
        self.nodes = []
        self.watches = {}

    def start(self):
        """Fills `nodes`."""
        raise NotImplementedError

    def add(self, node):
        self.nodes.append(node)
        node.start()

    def __enter__(self):
        try:
            self.postgres.create()
            self.postgres.start()
            self.watches["PostgreSQL"] = servers.Watch(self.postgres.pid(), memory=False)
            self.watches["PostgreSQL"].start()
            self.postgres.sql("postgres", "CREATE DATABASE %s TEMPLATE template0" % DATABASE)
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for node in self.nodes:
            node.stop()
        for watch in self.watches.values():
            watch.ended.set()
        self.postgres.stop()
        servers.Server.leftover.append(self.postgres.folder)

    @property
    def title(self):
        return self.server_class.title

    @property
    def ports(self):
        return [node.port for node in self.nodes]

    @property
    def watch(self):
        return self

    def cpu_seconds(self):
        """Of the servers and of what they stand on."""
        return sum(watch.cpu_seconds() for watch in [*self.watches.values(), *(node.watch for node in self.nodes)])

    def kept(self):
        return int(self.postgres.sql(DATABASE, self.kept_sql)[0][0] or 0)


class OrthancOnPostgres(System):
    name = "Orthanc, PostgreSQL + files"
    server_class = servers.Orthanc
    counts = (1, 4, 8)
    kept_sql = "SELECT count(*) FROM Resources WHERE resourceType = 3"

    def start(self):
        self.add(servers.OrthancPostgres(self.work, self.postgres, DATABASE))


class OneNode(System):
    name = "PacsCluster, PostgreSQL + files"
    counts = (1, 3, 4, 6, 8)
    kept_sql = "SELECT sum(instances) FROM total"
    nodes_count = 1

    def start(self):
        for number in range(self.nodes_count):
            node = servers.PacsCluster(self.work)
            # The first one's folder is everybody's.
            folder = os.path.join((self.nodes or [node])[0].folder, "blobs")
            node.settings = {"Node": {"Name": "node%d" % (number + 1)}, "Catalog": {"ConnectionString": self.postgres.connection_string(DATABASE)}, **self.blobs(folder)}
            self.add(node)

    def blobs(self, folder):
        return {"Blobs": {"Files": {"files": {"Folder": folder}}}}


class ThreeNodes(OneNode):
    name = "3 × PacsCluster, PostgreSQL + files"
    counts = (3, 6, 8)
    nodes_count = 3


class Azurite:
    """Started by `start`; `store` knows how to speak to it."""

    def __init__(self, work):
        self.process = None
        self.folder = os.path.join(work, "data-azurite-%d" % time.monotonic_ns())

    def start(self):
        os.makedirs(self.folder)
        self.settings = settings = types.SimpleNamespace(blobs="azure", azurite=servers.free_port(), path=lambda *parts: os.path.join(self.folder, *parts))
        self.store = blobstore.BlobStore(settings, types.SimpleNamespace(start=self.start_azurite, wait_until=self.wait_until))
        self.store.start(say)

    def start_azurite(self, name, command):
        self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.watch = servers.Watch(self.process.pid, memory=False)
        self.watch.start()

    def wait_until(self, name, is_so, seconds, otherwise):
        limit = time.monotonic() + seconds
        while not is_so():
            if self.process.poll() is not None or time.monotonic() > limit:
                raise SystemExit("%s: %s" % (name, otherwise))
            time.sleep(0.02)

    def stop(self):
        if self.process is not None:
            self.watch.ended.set()
            self.process.terminate()
            self.process.wait()
        servers.Server.leftover.append(self.folder)

    def put(self, connections, count, size):
        """Blobs a second and seconds of processor time a blob, of a client that does nothing but put blobs of random bytes."""
        data = os.urandom(size)

        def work(number):
            connection = http.client.HTTPConnection("127.0.0.1", self.settings.azurite)
            for at in range(number, count, connections):
                path, headers = blobstore.signed("PUT", "%s/%d" % (blobstore.CONTAINER, at), size, "BlockBlob")
                connection.request("PUT", path, body=data, headers=headers)
                answer = connection.getresponse()
                if answer.status != 201:
                    raise SystemExit("Azurite: %d %s" % (answer.status, answer.read(1000)))
                answer.read()
            connection.close()

        cpu, started = self.watch.cpu_seconds(), time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(connections) as pool:
            list(pool.map(work, range(connections)))
        return count / (time.monotonic() - started), (self.watch.cpu_seconds() - cpu) / count


class OneNodeAzurite(OneNode):
    name = "PacsCluster, PostgreSQL + Azurite"
    counts = (8,)

    def __init__(self, work):
        super().__init__(work)
        self.azurite = Azurite(work)

    def start(self):
        self.azurite.start()
        self.watches["Azurite"] = self.azurite.watch
        super().start()

    def stop(self):
        super().stop()
        self.azurite.stop()

    def blobs(self, folder):
        return self.azurite.store.options(None, {})


AZURITE = "Azurite alone"
SYSTEMS = (OrthancOnPostgres, OneNode, ThreeNodes, OneNodeAzurite)

# What is divided by what, the numbers of associations, and what it is to reach.
RATIOS = [(OneNode, OrthancOnPostgres, (1, 4, 8), 4.0), (ThreeNodes, OneNode, (3, 6, 8), 0.8), (OneNodeAzurite, OneNode, (8,), 0.5)]


def spelled(associations):
    return "%d association%s" % (associations, "s" if associations > 1 else "")


def rate_row(associations):
    return "C-STORE CT 0.5 MB on PostgreSQL, %s, instances/s" % spelled(associations)


def measure(bench, system, associations):
    """6,000 instances of 40 KB of other studies first, 2,000 for each of three nodes. Each association sends whole studies, as modalities do."""
    warm_up, warm_count, warm_studies = bench.files("warm-up-24")
    folder, count, studies = bench.files("ct-24")
    send(bench, system, warm_up, associations, run=warm_count // len(warm_studies))
    settle(bench, system)
    before = {part: watch.cpu_seconds() for part, watch in system.watches.items()}
    rate, cpu = send(bench, system, folder, associations, run=count // len(studies))
    parts = {part: (watch.cpu_seconds() - before[part]) / count * 1000 for part, watch in system.watches.items()}
    if system.kept() != warm_count + count:
        bench.remark("%s, %s: %d instances in the catalog, expected %d" % (system.name, spelled(associations), system.kept(), warm_count + count))
    bench.add(rate_row(associations), system.name, rate)
    bench.add("CPU per CT instance, servers and what they stand on, %s, ms" % spelled(associations), system.name, cpu * 1000)
    for part, value in parts.items():
        bench.add("of it %s, %s, ms" % (part, spelled(associations)), system.name, value)
    say("%-36s %s: %.1f (%.2f ms CPU; %s)" % (
        system.name, spelled(associations), rate, cpu * 1000, ", ".join("of it %s %.2f" % (part, value) for part, value in parts.items())))


def measure_azurite(bench, associations):
    """What Azurite can take when nothing else wants the processors: one process in JavaScript, so one of them."""
    azurite = Azurite(bench.work)
    try:
        azurite.start()
        azurite.put(associations, 400, 526000)
        rate, cpu = azurite.put(associations, 1000, 526000)
        bench.add("Azurite alone, %d connections that put blobs of 0.5 MB, blobs/s" % associations, AZURITE, rate)
        bench.add("CPU of Azurite per blob, ms", AZURITE, cpu * 1000)
        say("%-36s %d connections: %.1f (%.2f ms CPU)" % (AZURITE, associations, rate, cpu * 1000))
    finally:
        azurite.stop()


def ratios(bench):
    """Of the values of one round each, the median of the rounds."""
    lines = ["| ratio of rates | associations | rounds | median | to reach | |", "|---|---|---|---|---|---|"]
    for over, under, counts, bound in RATIOS:
        for associations in counts:
            pairs = zip(bench.results.get((rate_row(associations), over.name), []), bench.results.get((rate_row(associations), under.name), []))
            values = [a / b for a, b in pairs]
            if values:
                median = statistics.median(values)
                lines.append("| %s ÷ %s | %d | %s | %.2f | %.1f | %s |" % (
                    over.name, under.name, associations, ", ".join("%.2f" % v for v in values), median, bound, "reached" if median >= bound else "missed"))
    return lines + [""]


def cluster(bench):
    """C-STORE of the same files over 1, 4 and 8 associations; the three nodes, to whom the associations are dealt out in turn, with 3, 6 and 8 against one node with as many."""
    wanted = [system for system in SYSTEMS if system.server_class in bench.servers]
    if servers.Orthanc in bench.servers and not os.path.exists(servers.OrthancPostgres.plugin):
        raise SystemExit("the PostgreSQL plugin is missing: apt-get install orthanc-postgresql")
    if servers.PacsCluster in bench.servers and not (shutil.which("node") and shutil.which("npm")):
        raise SystemExit("Azurite needs node and npm: apt-get install nodejs npm")
    version = ""
    for _ in range(bench.rounds):
        servers.clear_leftovers()
        for associations in sorted({count for system in wanted for count in system.counts}):
            for system_class in wanted:
                if associations in system_class.counts:
                    if system_class is OneNodeAzurite:
                        measure_azurite(bench, associations)
                    with system_class(bench.work) as system:
                        version = version or system.postgres.sql("postgres", "SHOW server_version")[0][0]
                        measure(bench, system, associations)
    bench.appendix += ["PostgreSQL %s with the defaults of initdb (fsync and synchronous_commit on), a new cluster for each measurement; its CPU is that of all its processes. "
                       "Orthanc: index in PostgreSQL, files on disk with SyncStorageArea." % version, "", *ratios(bench)]


SECTIONS = {"cluster": cluster}
