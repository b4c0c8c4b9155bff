"""Memory while a million instances come in: four associations of storescu that invent UIDs, so that a hundred small files are ever new instances, series, studies and patients."""
import os
import sqlite3
import subprocess
import time

import servers
import synthetic
from sections import say

ASSOCIATIONS = 4
FILES = 100


def resident_megabytes(server):
    return server.resident_bytes() / 1e6


def kept(server):
    """From the archive's own totals, read beside it."""
    connection = sqlite3.connect("file:%s/catalog.db?mode=ro" % server.folder, uri=True, timeout=30)
    try:
        return connection.execute("SELECT instances FROM total").fetchone()[0]
    finally:
        connection.close()


def million(bench):
    """Resident memory at every tenth of the way, and what verify says at the end. No peers: it is about what grows."""
    count = 20_000 if bench.quick else 1_000_000
    bench.remark("million: sent once, whatever the number of rounds")
    folder = os.path.join(bench.work, "files", "ct-small")
    synthetic.write_files(folder, FILES, 1, synthetic.CT, "CT", 16, 16)
    share, = synthetic.shares(folder, os.path.join(bench.work, "shares"), 1)
    repeat = count // FILES // ASSOCIATIONS
    with servers.PacsCluster(bench.work) as server:
        # A series of 100, a study of 2 series, a patient of 3 studies.
        command = ["storescu", "-aec", server.title, "+sd", "--repeat", str(repeat), "+IR", "100", "+IS", "2", "+IP", "3", "127.0.0.1", str(server.port), share]
        started = time.monotonic()
        senders = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TCP_NODELAY": "1"}) for _ in range(ASSOCIATIONS)]
        try:
            stops = [count * tenth // 10 for tenth in range(1, 10)]
            while any(sender.poll() is None for sender in senders):
                time.sleep(1)
                if stops and kept(server) >= stops[0]:
                    at = stops.pop(0)
                    bench.add("resident memory, %d instances, MB" % at, server.name, resident_megabytes(server))
                    say("%d instances after %.0f s: %.0f MB" % (at, time.monotonic() - started, resident_megabytes(server)))
        finally:
            for sender in senders:
                if sender.poll() is None:
                    sender.terminate()
                    sender.wait()
        seconds = time.monotonic() - started
        for sender in senders:
            if sender.returncode:
                bench.remark("a storescu ended with %d" % sender.returncode)
        stored = kept(server)
        bench.add("resident memory, %d instances, MB" % stored, server.name, resident_megabytes(server))
        bench.add("instances/s, %d associations of storescu" % ASSOCIATIONS, server.name, stored / seconds)
        bench.add("peak memory, MB", server.name, server.watch.peak_bytes / 1e6)
        say("%d instances in %.0f s: %.0f MB, peak %.0f MB" % (stored, seconds, resident_megabytes(server), server.watch.peak_bytes / 1e6))
        if stored != repeat * FILES * ASSOCIATIONS:
            bench.remark("%d instances are in the catalog, %d were sent" % (stored, repeat * FILES * ASSOCIATIONS))


SECTIONS = {"million": million}
