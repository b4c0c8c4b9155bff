"""Command line of cluster/up, cluster/down, cluster/status, cluster/drill and cluster/check."""
import argparse
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(__file__), "..", "..", "benchmarks", "bench"))
import check
import drills
from cluster import Cluster, say
from product import publish
from settings import DEFAULT_FOLDER, ROOT, SETTINGS, Problem, Settings


def arguments_of(command, text):
    parser = argparse.ArgumentParser(prog="cluster/" + command, description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    if command in ("up", "down", "status"):
        parser.add_argument("--folder", default=DEFAULT_FOLDER, help="folder of the cluster: data, logs, pid files (default cluster/local/up)")
    if command == "up":
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, see below; may be repeated")
        parser.epilog = "settings:\n" + "\n".join("  %-14s %s (default %s)" % (name, what, default) for name, (default, what) in SETTINGS.items())
    if command == "down":
        parser.add_argument("--keep", action="store_true", help="keep the folder: the next `up` goes on with its data")
    if command in ("up", "drill", "check"):
        parser.add_argument("--executable", help="a published PacsCluster.Server instead of publishing one")
    if command == "drill":
        drills.add_arguments(parser)
    return parser.parse_args(sys.argv[2:])


def executable(given):
    if given:
        if not os.access(given, os.X_OK):
            raise Problem("%s cannot be executed" % given)
        return os.path.abspath(given)
    print("publishing the server", flush=True)
    return publish(os.path.join(ROOT, "cluster", "local"))


def up():
    given = arguments_of("up", "Brings up PostgreSQL under Patroni, nodes and HAProxy on this machine, all on 127.0.0.1.")
    folder = os.path.abspath(given.folder)
    # A folder that was kept knows its ports.
    kept = os.path.exists(os.path.join(folder, "cluster.json"))
    settings = Settings.load(folder) if kept else Settings(folder)
    for pair in given.set:
        name, _, value = pair.partition("=")
        settings.set(name, value)
    cluster = Cluster(settings)
    # Before the minutes that publishing may take.
    cluster.prepare()
    settings.executable = executable(given.executable)
    print("bringing up the cluster in " + folder, flush=True)
    seconds = cluster.up()
    print("up in %.0f s.\n"
          "  DICOM  127.0.0.1:%d, AE title %s\n"
          "  HTTP   http://127.0.0.1:%d/ (DICOMweb: /dicom-web)\n"
          "  end it: cluster/down%s" % (seconds, settings.dicom, settings.title, settings.http,
                                        "" if folder == os.path.abspath(DEFAULT_FOLDER) else " --folder " + folder))
    return 0


def down():
    given = arguments_of("down", "Ends every process of the cluster and deletes its folder.")
    print("taking down the cluster in " + os.path.abspath(given.folder), flush=True)
    Cluster.load(os.path.abspath(given.folder)).down(given.keep)
    print("down" + (", %s kept" % given.folder if given.keep else ", nothing left"))
    return 0


def status():
    given = arguments_of("status", "Says who runs and who is primary; exit code 0 when everything does.")
    cluster = Cluster.load(os.path.abspath(given.folder))
    whole = True
    for name in cluster.processes.names():
        pid = cluster.processes.pid(name)
        whole &= pid is not None
        print("%-14s %s" % (name, "process %d" % pid if pid else "HAS ENDED, see " + cluster.processes.log(name)))
    for name, member in sorted(cluster.database.members().items()):
        print("%-14s %s, %s" % (name, member["role"], member["state"]))
    for number in cluster.nodes.numbers():
        ready = cluster.nodes.is_ready(number)
        whole &= ready
        print("%-14s %s" % (cluster.nodes.name(number), "ready" if ready else "not ready"))
    return 0 if whole and cluster.database.has_synchronous_standby() else 1


def drill():
    given = arguments_of("drill", "Kills and cuts parts of a cluster of its own under load, and looks for what was acknowledged. Exit code 1 when anything is missing or wrong.")
    return drills.run(given, lambda: executable(given.executable))


def small_check():
    given = arguments_of("check", "Brings up a cluster, stores a study through HAProxy, kills a node, looks, takes it down.")
    return check.run(lambda: executable(given.executable))


COMMANDS = {"up": up, "down": down, "status": status, "drill": drill, "check": small_check}
# A drill or an `up` that is told to end takes down what it started.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    sys.exit(COMMANDS[sys.argv[1]]())
except Problem as problem:
    print("cluster/%s: %s" % (sys.argv[1], problem), file=sys.stderr)
    sys.exit(2)
except KeyboardInterrupt:
    sys.exit(130)
