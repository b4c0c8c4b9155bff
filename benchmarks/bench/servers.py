"""The servers under measurement: started on loopback and free ports with an empty folder, watched in /proc, ended by their PID."""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

from association import Association, VERIFICATION

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Watch(threading.Thread):
    """CPU seconds and peak memory of a process with its children, sampled every `interval` seconds: often where children live per association, seldom elsewhere, since
    looking for them costs processor time that is the servers'.
    With children, pages that several of them map (programs, libraries, what a fork shares) count once: proportional set sizes, sampled every 100 ms because
    the kernel walks page tables for them; none of it without `memory`."""

    def __init__(self, pid, memory=True, interval=0.25):
        super().__init__(daemon=True)
        self.pid = pid
        self.interval = interval
        self.memory = memory
        self.cpu_by_pid = {}
        self.peak_bytes = 0
        self.shared_sampled = 0.0
        self.ended = threading.Event()

    def sample(self):
        total = 0
        pids = [self.pid] + self.children()
        for pid in pids:
            try:
                with open("/proc/%d/stat" % pid) as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            self.cpu_by_pid[pid] = (int(fields[11]) + int(fields[12])) / TICKS
            total += int(fields[21]) * PAGE
        if not self.memory:
            return
        if len(pids) > 1:
            if time.monotonic() - self.shared_sampled < 0.1:
                return
            self.shared_sampled = time.monotonic()
            total = sum(self.proportional(pid) for pid in pids)
        self.peak_bytes = max(self.peak_bytes, total, self.high_water())

    def proportional(self, pid):
        try:
            with open("/proc/%d/smaps_rollup" % pid) as file:
                return next((int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:")), 0)
        except OSError:
            return 0

    def high_water(self):
        try:
            with open("/proc/%d/status" % self.pid) as file:
                return next((int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM")), 0)
        except OSError:
            return 0

    def children(self):
        """Of all its threads: each lists the processes that it started itself."""
        found = []
        try:
            for task in os.listdir("/proc/%d/task" % self.pid):
                with open("/proc/%d/task/%s/children" % (self.pid, task)) as file:
                    found += [int(pid) for pid in file.read().split()]
        except OSError:
            pass
        return found

    def run(self):
        while not self.ended.wait(self.interval):
            self.sample()

    def cpu_seconds(self):
        self.sample()
        return sum(self.cpu_by_pid.values())


class Disk:
    """How fast the disk is just now. It is slow for a minute after gigabytes were deleted, which would be charged to the server that is measured next."""
    PIECE = bytes(1 << 20)
    best = {}

    @classmethod
    def milliseconds(cls, folder):
        """Median of 15 writes of 1 MB with their flush."""
        path = os.path.join(folder, "disk-probe")
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        times = []
        try:
            for _ in range(15):
                started = time.monotonic()
                os.pwrite(file, cls.PIECE, 0)
                os.fdatasync(file)
                times.append((time.monotonic() - started) * 1000)
        finally:
            os.close(file)
            os.unlink(path)
        return statistics.median(times)

    @classmethod
    def wait(cls, folder, seconds=90):
        """Waits until it is as fast as it was at its best, give or take a third. Gives what it waited in vain for, or nothing; then it is taken as it is from now on."""
        end = time.monotonic() + seconds
        while True:
            now = cls.milliseconds(folder)
            best = cls.best[folder] = min(now, cls.best.get(folder, now))
            if now <= best * 4 / 3:
                return None
            if time.monotonic() > end:
                cls.best[folder] = now
                return "the disk takes %.1f ms for 1 MB and its flush, %.1f at its best" % (now, best)
            time.sleep(2)


def clear_leftovers():
    """Deletes the folders of the servers that have stopped, and lets the file system forget them: ext4 without a journal looks, for every new file,
    at each inode that was deleted within the last 35 seconds, and that would be charged to the next server."""
    deleted = bool(Server.leftover)
    while Server.leftover:
        shutil.rmtree(Server.leftover.pop(), ignore_errors=True)
    os.sync()
    if deleted:
        time.sleep(36)


class Server:
    """Started by `with`; `folder` is its own, and goes with clear_leftovers."""
    leftover = []
    name = ""
    indexed = True
    title = ""
    sampled_every = 0.1

    def __init__(self, work, no_delay=True):
        self.folder = os.path.join(work, "data-%s-%d" % (self.name.split()[0], time.monotonic_ns()))
        self.port = free_port()
        self.http_port = free_port()
        self.move_port = free_port()
        self.no_delay = no_delay
        self.process = None

    @property
    def ports(self):
        """DICOM ports; senders are dealt out to them in turn."""
        return [self.port]

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {**os.environ, **({"TCP_NODELAY": "1"} if self.no_delay else {})}

    def start(self):
        """Starts, waits for the first successful C-ECHO; gives the seconds that took."""
        os.makedirs(self.folder, exist_ok=True)
        command = self.command()
        self.log = open(os.path.join(self.folder, "server.log"), "wb")
        started = time.monotonic()
        self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env=self.environment())
        while True:
            try:
                association = Association(self.port, self.title, sop_class=VERIFICATION, timeout=5)
                if association.echo() == 0:
                    association.close()
                    break
            except (OSError, ConnectionError):
                if self.process.poll() is not None:
                    raise SystemExit("%s ended with %d: see %s" % (self.name, self.process.returncode, self.log.name))
                if time.monotonic() - started > 60:
                    self.stop()
                    raise SystemExit("%s does not answer C-ECHO: see %s" % (self.name, self.log.name))
                time.sleep(0.005)
        self.start_seconds = time.monotonic() - started
        self.watch = Watch(self.process.pid, interval=self.sampled_every)
        self.watch.start()
        return self

    def kept(self):
        """How many instances the server kept, where a look into its folder tells; else None."""
        folder = self.folder + "/store"
        return len([f for f in os.listdir(folder) if f not in ("index.dat",)]) if os.path.isdir(folder) else None

    def resident_bytes(self):
        with open("/proc/%d/statm" % self.process.pid) as file:
            return int(file.read().split()[1]) * PAGE

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if hasattr(self, "watch"):
            self.watch.ended.set()
        self.log.close()
        Server.leftover.append(self.folder)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class PacsCluster(Server):
    name = "PacsCluster"
    title = "PACSCLUSTER"
    executable = ""
    settings = {}

    def command(self):
        with open(os.path.join(self.folder, "pacscluster.json"), "w") as file:
            json.dump({"Dimse": {"KnownAEs": [{"AETitle": "MOVESCU", "Host": "127.0.0.1", "Port": self.move_port}]}, **self.settings}, file)
        return [self.executable, "serve", "--data", self.folder, "--dicom-port", str(self.port), "--http-port", str(self.http_port)]


class Orthanc(Server):
    name = "Orthanc"
    title = "ORTHANC"
    settings = {}

    def command(self):
        path = os.path.join(self.folder, "orthanc.json")
        with open(path, "w") as file:
            json.dump({
                "Name": "bench", "StorageDirectory": self.folder + "/storage", "IndexDirectory": self.folder + "/index",
                "StorageCompression": False, "SyncStorageArea": True, "MaximumStorageSize": 0, "MaximumPatientCount": 0,
                "HttpPort": self.http_port, "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "Plugins": [],
                "DicomAet": self.title, "DicomPort": self.port, "DicomCheckCalledAet": False, "DicomAlwaysAllowEcho": True,
                "DicomAlwaysAllowStore": True, "DicomAlwaysAllowFind": True, "DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True,
                # One thread an association, so that eight are served at once (4 is its default).
                "DicomThreadsCount": 8, "SynchronousCMove": True,
                "DicomModalities": {"MOVESCU": ["MOVESCU", "127.0.0.1", self.move_port]},
                **self.settings,
            }, file)
        return ["/usr/sbin/Orthanc", path]


class OrthancWeb(Orthanc):
    """Orthanc with its DICOMweb plugin; it answers at /dicom-web too."""
    plugin = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
    settings = {"Plugins": [plugin], "HttpThreadsCount": 50, "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True}}

    def command(self):
        if not os.path.exists(self.plugin):
            raise SystemExit("the DICOMweb plugin is missing: apt-get install orthanc-dicomweb")
        return super().command()


class OrthancPostgres(Orthanc):
    """Orthanc with its index in PostgreSQL and its files on disk."""
    plugin = "/usr/share/orthanc/plugins/libOrthancPostgreSQLIndex.so"

    def __init__(self, work, postgres, database):
        super().__init__(work)
        self.settings = {"Plugins": [self.plugin], "PostgreSQL": {
            "EnableIndex": True, "EnableStorage": False, "Host": "127.0.0.1", "Port": postgres.port, "Database": database, "Username": postgres.USER, "Password": "",
            "EnableSsl": False, "Lock": True}}


class Dcmqrscp(Server):
    name = "dcmqrscp"
    title = "DCMQR"
    sampled_every = 0.02

    def command(self):
        os.makedirs(self.folder + "/store", exist_ok=True)
        path = os.path.join(self.folder, "dcmqrscp.cfg")
        with open(path, "w") as file:
            file.write("\n".join([
                "NetworkTCPPort = %d" % self.port, "MaxPDUSize = 131072", "MaxAssociations = 16",
                "HostTable BEGIN", "mover = (MOVESCU, 127.0.0.1, %d)" % self.move_port, "HostTable END",
                "VendorTable BEGIN", "VendorTable END",
                "AETable BEGIN", "%s %s/store RW (500, 1024mb) ANY" % (self.title, self.folder), "AETable END", ""]))
        return ["dcmqrscp", "-c", path]


class Storescp(Server):
    name = "storescp"
    title = "STORESCP"
    indexed = False
    sampled_every = 0.02

    def command(self):
        os.makedirs(self.folder + "/store", exist_ok=True)
        return ["storescp", "--fork", "-od", self.folder + "/store", str(self.port)]


class StorescpIgnore(Server):
    name = "storescp --ignore"
    title = "STORESCP"
    indexed = False
    sampled_every = 0.02

    def command(self):
        return ["storescp", "--fork", "--ignore", str(self.port)]


