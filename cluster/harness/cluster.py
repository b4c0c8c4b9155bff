"""The whole cluster on one machine: what must be there, the order of starting and of stopping."""
import os
import shutil
import time

from balancer import Balancer
from blobstore import BlobStore
from database import Database, answer_of
from nodes import Nodes
from processes import Processes
from settings import Problem, Settings, free

# Program that shows a package is there → Debian package.
TOOLS = {"patroni": "patroni", "etcd": "etcd-server", "haproxy": "haproxy", "storescu": "dcmtk"}


def say(text):
    print("  " + text, flush=True)


def missing(settings):
    """Debian packages that are not there."""
    packages = [package for program, package in TOOLS.items() if not shutil.which(program)]
    if not os.access(os.path.join(settings.postgres_bin, "initdb"), os.X_OK):
        packages.append("postgresql")
    # Patroni's module for etcd is only recommended by its package.
    if "patroni" not in packages and not os.path.isdir("/usr/lib/python3/dist-packages/etcd"):
        packages.append("python3-etcd")
    if settings.blobs == "azure":
        packages += [package for program, package in (("node", "nodejs"), ("npm", "npm")) if not shutil.which(program)]
    return packages


class Cluster:
    def __init__(self, settings):
        self.settings = settings
        self.processes = Processes(settings.folder)
        self.database = Database(settings, self.processes)
        self.blob_store = BlobStore(settings, self.processes)
        self.nodes = Nodes(settings, self.processes, self.database, self.blob_store)
        self.balancer = Balancer(settings, self.processes)

    @staticmethod
    def load(folder):
        return Cluster(Settings.load(folder))

    def prepare(self):
        """Refuses what would fail later, with all reasons at once."""
        reasons = ["missing packages: apt-get install --no-install-recommends " + " ".join(missing(self.settings))] if missing(self.settings) else []
        if self.processes.names() and any(self.processes.pid(name) for name in self.processes.names()):
            raise Problem("a cluster runs in %s already: cluster/down ends it" % self.settings.folder)
        reasons += ["port %d is taken; it is wanted for %s" % (port, who) for port, who in sorted(self.settings.ports().items()) if not free(port)]
        if reasons:
            raise Problem("\n".join(reasons))
        os.makedirs(self.settings.folder, exist_ok=True)
        if self.database.user:
            self.require_way_in()
        self.settings.save()

    def require_way_in(self):
        """PostgreSQL's user must be able to walk into the folder."""
        at = self.settings.folder
        while at != "/":
            if not os.stat(at).st_mode & 0o001:
                raise Problem("%s cannot be entered by the user %s, which runs PostgreSQL: choose another --folder" % (at, self.settings.database_user))
            at = os.path.dirname(at)

    def up(self):
        """Starts everything after prepare(); gives the seconds that took."""
        started = time.monotonic()
        try:
            self.database.start(say)
            self.blob_store.start(say)
            for number in self.nodes.numbers():
                say("node%d on %d (DICOM) and %d (HTTP)" % (number, *self.settings.node_ports(number)))
                # The first one makes the catalog's schema; the others may come at once after it.
                self.nodes.start(number, wait=number == 1)
            for number in self.nodes.numbers():
                self.nodes.wait_ready(number)
            say("HAProxy on %d (DICOM) and %d (HTTP)" % (self.settings.dicom, self.settings.http))
            self.balancer.start()
            self.wait_served()
        except BaseException:
            print("taking down what was started; logs stay in " + self.processes.logs, flush=True)
            self.stop()
            raise
        return time.monotonic() - started

    def wait_served(self):
        self.processes.wait_until("haproxy", lambda: (answer_of(self.settings.http, "/health/ready") or (0, ""))[0] == 200, 20, "no node is ready behind it")

    def stop(self):
        """Every process, the doors first: what is on its way in can still be stored."""
        for name in ["haproxy"] + [self.nodes.name(n) for n in self.nodes.numbers()]:
            if self.processes.pid(name) is not None:
                say(name)
            if not self.processes.stop(name):
                say("%s did not stop when it was asked to: it was killed" % name)
        self.database.stop(say)
        for name in self.processes.names():
            self.processes.stop(name)

    def down(self, keep=False):
        self.stop()
        if not keep:
            shutil.rmtree(self.settings.folder)
