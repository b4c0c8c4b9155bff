"""What a cluster on one machine consists of and where: every port and folder, kept in the folder's cluster.json so that `down` and the drills know."""
import glob
import json
import os
import re
import socket

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DEFAULT_FOLDER = os.path.join(ROOT, "cluster", "local", "up")

# Debian keeps servers where not every user's PATH looks.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin"


def newest_postgres():
    """Debian puts each major version's programs into a folder of their own, not on PATH."""
    found = glob.glob("/usr/lib/postgresql/*/bin")
    return max(found, key=lambda path: int(re.sub(r"\D", "", path) or 0), default="/usr/lib/postgresql/bin")


# Name: (default, what it is). Ports are TCP ports on 127.0.0.1.
SETTINGS = {
    "nodes": (3, "PacsCluster nodes, 1 to 9"),
    "dicom": (11112, "port of HAProxy for DICOM"),
    "http": (8080, "port of HAProxy for HTTP"),
    "node_dicom": (11121, "DICOM port of the first node; the next ones follow"),
    "node_http": (8081, "HTTP port of the first node; the next ones follow"),
    "postgres": (54321, "PostgreSQL port of member db1; db2 follows"),
    "patroni": (8008, "REST port of Patroni of db1; db2 follows"),
    "etcd_client": (23790, "client port of etcd"),
    "etcd_peer": (23800, "peer port of etcd"),
    "blobs": ("azure", "where the nodes' blobs lie: azure (Azurite, installed from npm) or files (a folder that all nodes share)"),
    "azurite": (10000, "port of Azurite"),
    "title": ("PACSCLUSTER", "AE title of every node"),
    "ttl": (10, "seconds without a sign of life after which Patroni gives the primary's lease to the standby"),
    "postgres_bin": (newest_postgres(), "folder of initdb and postgres"),
    "database_user": ("postgres", "system user that runs PostgreSQL when `up` is run as root (PostgreSQL refuses root)"),
}


class Problem(Exception):
    """Something that the operator can put right; its text says what."""


class Settings:
    def __init__(self, folder, values=None, executable=""):
        self.folder = os.path.abspath(folder)
        self.executable = executable
        self.values = {name: default for name, (default, _) in SETTINGS.items()}
        for name, value in (values or {}).items():
            self.set(name, value)

    def __getattr__(self, name):
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def set(self, name, value):
        if name not in SETTINGS:
            raise Problem("there is no setting %s; there are: %s" % (name, " ".join(SETTINGS)))
        if isinstance(SETTINGS[name][0], int):
            try:
                value = int(value)
            except ValueError:
                raise Problem("%s: %s is not a number" % (name, value)) from None
            least, most = (1, 9) if name == "nodes" else (5, 3600) if name == "ttl" else (1, 65535)
            if not least <= value <= most:
                raise Problem("%s: %d is not between %d and %d" % (name, value, least, most))
        if name == "blobs" and value not in ("azure", "files"):
            raise Problem("blobs: %s is neither azure nor files" % value)
        self.values[name] = value

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def node_ports(self, number):
        """DICOM and HTTP port of node 1, 2, …"""
        return self.node_dicom + number - 1, self.node_http + number - 1

    def ports(self):
        """Every port with the name of who listens there."""
        wanted = {self.dicom: "HAProxy, DICOM (dicom)", self.http: "HAProxy, HTTP (http)", self.etcd_client: "etcd (etcd_client)",
                  self.etcd_peer: "etcd (etcd_peer)"}
        listeners = [(self.postgres + i, "PostgreSQL db%d (postgres)" % (i + 1)) for i in range(2)]
        listeners += [(self.patroni + i, "Patroni of db%d (patroni)" % (i + 1)) for i in range(2)]
        if self.blobs == "azure":
            listeners.append((self.azurite, "Azurite (azurite)"))
        for number in range(1, self.nodes + 1):
            dicom, http = self.node_ports(number)
            listeners += [(dicom, "DICOM of node %d (node_dicom)" % number), (http, "HTTP of node %d (node_http)" % number)]
        for port, who in listeners:
            if port in wanted:
                raise Problem("port %d is wanted twice: by %s and by %s" % (port, wanted[port], who))
            wanted[port] = who
        return wanted

    def take_free_ports(self):
        """Ports that nobody listens on now, in place of the defaults: for drills and tests beside a running cluster."""
        base = 20000 + os.getpid() % 300 * 40
        while True:
            block = list(range(base, base + 40))
            if block[-1] > 60000:
                raise Problem("no 40 free ports in a row between 20000 and 60000")
            if all(free(port) for port in block):
                break
            base += 40
        self.take(block)

    def take(self, block):
        for name, at in (("dicom", 0), ("http", 1), ("etcd_client", 2), ("etcd_peer", 3), ("postgres", 4), ("patroni", 6), ("azurite", 8),
                         ("node_dicom", 10), ("node_http", 20)):
            self.set(name, block[at])
        # The last ten are for whoever stands between two of these: the proxies of the drills.
        self.spare_ports = block[30:]

    def save(self):
        with open(self.path("cluster.json"), "w") as file:
            json.dump({"executable": self.executable, "values": self.values}, file, indent=2)

    @staticmethod
    def load(folder):
        try:
            with open(os.path.join(folder, "cluster.json")) as file:
                stored = json.load(file)
        except OSError:
            raise Problem("there is no cluster in %s (--folder names it)" % folder) from None
        return Settings(folder, stored["values"], stored["executable"])


def free(port):
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
