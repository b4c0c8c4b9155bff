"""The small check of cluster/check: up, a study through HAProxy, a node dies, everything is still found, down, nothing left."""
import os
import shutil
import subprocess
import tempfile
import time

import drills
import manifests
import senders
import synthetic
from cluster import Cluster, missing, say
from processes import start_ticks
from settings import Problem, Settings

INSTANCES = 24


def store(port, title, folder):
    """What DCMTK's storescu was answered: number of instances acknowledged with success."""
    done = subprocess.run(["storescu", "-v", "-aec", title, "+sd", "+sp", "*.dcm", "127.0.0.1", str(port), folder], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    if done.returncode:
        raise Problem("storescu ended with %d:\n%s" % (done.returncode, (done.stdout + done.stderr)[-1000:]))
    return (done.stdout + done.stderr).count("Received Store Response (Success)")


def expect(port, title, study, what):
    count, instances = senders.found_in(port, title, study)
    if (count, len(set(instances)), len(instances)) != (INSTANCES, INSTANCES, INSTANCES):
        raise Problem("%s: the study counts %d instances and lists %d, sent were %d" % (what, count, len(instances), INSTANCES))


def run(executable):
    passed, failed, skipped = manifests.run()
    settings = Settings(tempfile.mkdtemp(prefix="pacscluster-check-"))
    try:
        if missing(settings) and os.environ.get("CI") != "true":
            skipped += 1
            print("  skipped: a cluster stores, loses a node and goes: missing " + " ".join(missing(settings)))
        else:
            with_cluster(settings, executable())
            passed += 1
    except Problem as problem:
        failed += 1
        print("  failed: a cluster stores, loses a node and goes: %s" % problem)
    finally:
        shutil.rmtree(settings.folder, ignore_errors=True)
    print("cluster: %d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


def require_honest_drills(ports, title, load):
    """The drills' examination finds nothing wrong where nothing is, and sees one instance that was acknowledged and is not there."""
    found, wrong = drills.examine(ports, title, load)
    if wrong or found != len(load.acknowledged):
        raise Problem("after the death of node1: " + "; ".join(wrong))
    load.acknowledged[synthetic.new_uid()] = load.studies[0].uid
    found, wrong = drills.examine(ports, title, load)
    if found != len(load.acknowledged) - 1 or len(wrong) != len(ports):
        raise Problem("a lost instance is not seen: found %d of %d, wrong: %s" % (found, len(load.acknowledged), wrong))


def require_honest_figures(load):
    """A pause while another node was down counts, a node's own absence does not, and a figure that is missed is wrong."""
    times = [0, 1, 4, 9, 9.5]
    seen = [senders.longest_pause(times, during, apart) for during, apart in (([(2, 3), (5, 6)], []), ([(2, 3), (5, 6)], [(8, 9)]), ([(1.5, 9)], [(2, 5)]), ([], []))]
    if seen != [5, 3, 0, 0]:
        raise Problem("pauses of 5, 3, 0 and 0 s are seen as %s" % seen)
    row = drills.Row("", "", load, 0, [])
    row.require("reached", 1.0, 1, "s")
    if row.wrong:
        raise Problem("a figure that is reached is wrong: %s" % row.wrong)
    row.require("missed", 1.1, 1, "s")
    if not row.wrong:
        raise Problem("a figure that is missed is not seen")


def with_cluster(settings, executable):
    os.chmod(settings.folder, 0o755)
    settings.take_free_ports()
    settings.executable = executable
    cluster = Cluster(settings)
    cluster.prepare()
    started = time.monotonic()
    try:
        cluster.up()
        study, = synthetic.write_files(settings.path("files"), INSTANCES, 1, synthetic.CT, "CT", 64, 64)
        acknowledged = store(settings.dicom, settings.title, settings.path("files"))
        if acknowledged != INSTANCES:
            raise Problem("storescu heard success %d times for %d instances" % (acknowledged, INSTANCES))
        say("%d instances through HAProxy" % acknowledged)
        for number in cluster.nodes.numbers():
            expect(settings.node_ports(number)[0], settings.title, study, cluster.nodes.name(number))
        cluster.processes.kill("node1")
        for number in list(cluster.nodes.numbers())[1:]:
            expect(settings.node_ports(number)[0], settings.title, study, "%s after the death of node1" % cluster.nodes.name(number))
        again = senders.Load(settings.dicom, settings.title, 2, each=10)
        with again:
            again.wait_sent(30)
        if len(again.acknowledged) != 20:
            raise Problem("%d of 20 instances were acknowledged in 30 s after the death of node1" % len(again.acknowledged))
        say("node1 killed, the others serve")
        ports = [settings.node_ports(number)[0] for number in list(cluster.nodes.numbers())[1:]]
        require_honest_figures(again)
        require_honest_drills(ports, settings.title, again)
        ids = [pid for pid in map(cluster.processes.pid, cluster.processes.names()) if pid] + [
            pid for pid in map(cluster.database.postmaster, ("db1", "db2")) if pid]
    finally:
        cluster.down()
    left = [pid for pid in ids if start_ticks(pid) is not None]
    if left or os.path.exists(settings.folder):
        raise Problem("left behind: processes %s, folder %s" % (left, os.path.exists(settings.folder)))
    say("down, nothing left, %.0f s in all" % (time.monotonic() - started))
