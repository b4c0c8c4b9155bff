"""DICOMweb beside Orthanc with its DICOMweb plugin: STOW-RS of CT slices, QIDO-RS under eight clients. Bodies are sent by Python over plain sockets, searches are asked by
wrk, whose own cost is small enough for a machine that it shares with the server."""
import http.client
import json
import os
import re
import shutil
import subprocess
import threading
import time

import sections
import servers
import synthetic
from sections import say

BOUNDARY = b"bench-boundary-7f3a"
STORE_TYPE = 'multipart/related; type="application/dicom"; boundary=' + BOUNDARY.decode()
NAMED, MONTH = 800, 150


def web_servers(bench):
    return [{servers.Orthanc: servers.OrthancWeb}.get(s, s) for s in bench.servers if s in (servers.PacsCluster, servers.Orthanc)]


def bodies(folder, per_request):
    """The files of a folder as bodies of store requests."""
    files = sorted(f for f in os.listdir(folder) if f.endswith(".dcm"))
    for at in range(0, len(files), per_request):
        parts = []
        for name in files[at:at + per_request]:
            with open(os.path.join(folder, name), "rb") as file:
                parts.append(b"--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n" + file.read() + b"\r\n")
        yield len(parts), b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def post_all(server, folder, connections, per_request):
    """Stores a folder over so many connections. Seconds, server CPU seconds, instances that the answers say are stored."""
    all_bodies = list(bodies(folder, per_request))
    shares = [all_bodies[i::connections] for i in range(connections)]
    stored, failures = [0] * connections, []

    def run(index):
        connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=600)
        for count, body in shares[index]:
            connection.request("POST", "/dicom-web/studies", body, {"Content-Type": STORE_TYPE, "Accept": "application/dicom+json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                failures.append("%d %s" % (response.status, answer[:200]))
                continue
            stored[index] += len(json.loads(answer).get("00081199", {}).get("Value", []))
        connection.close()

    cpu = server.watch.cpu_seconds()
    started = time.monotonic()
    threads = [threading.Thread(target=run, args=(i,)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started, server.watch.cpu_seconds() - cpu, sum(stored), failures


def stow(bench):
    """2,000 CT slices of 0.5 MB in requests of 50, over 1 and 4 connections; before it each server takes in 2,000 of 40 KB."""
    warm_up, _, _ = bench.files("warm-up")
    folder, count, _ = bench.files("ct")
    for _ in range(bench.rounds):
        servers.clear_leftovers()
        for connections in (1, 4):
            for server_class in web_servers(bench):
                with server_class(bench.work) as server:
                    post_all(server, warm_up, connections, 50)
                    seconds, cpu, stored, failures = post_all(server, folder, connections, 50)
                    if stored != count:
                        bench.remark("%s: STOW over %d connections stored %d of %d: %s" % (server.name, connections, stored, count, failures[:1]))
                    row = "STOW-RS CT 0.5 MB, requests of 50, %d connection%s, instances/s" % (connections, "s" if connections > 1 else "")
                    bench.add(row, server.name, stored / seconds)
                    bench.add("server CPU per instance of STOW-RS, %d connection%s, ms" % (connections, "s" if connections > 1 else ""), server.name, cpu / max(1, stored) * 1000)
                    say("%-18s %s: %.1f (peak %.0f MB)" % (server.name, row, stored / seconds, server.watch.peak_bytes / 1e6))


def study_files(bench, count):
    """One tiny instance a study; always 800 names that begin with SM and 150 studies in May 2023, however many studies there are."""
    folder = os.path.join(bench.work, "files", "web-studies-%d" % count)
    if not os.path.exists(folder + "/complete"):
        say("generating %d studies" % count)

    def name(number):
        return "SM%s^%s" % (("ITH", "YTHE", "OLKA", "ETANA")[number % 4] + str(number), synthetic.GIVEN[number % 20]) if number < NAMED else None

    def date(number):
        if NAMED <= number < NAMED + MONTH:
            return "202305%02d" % (1 + number % 31)
        return "20%02d%02d%02d" % (10 + number % 13, 1 + number % 12, 1 + number % 28)
    synthetic.write_files(folder, count, count, synthetic.CT, "CT", 4, 4, names=name, dates=date)
    return folder


def load(server, folder):
    """Ours takes folders in by its import command, while it runs; the other by STOW-RS. Studies a second."""
    count = sum(1 for f in os.listdir(folder) if f.endswith(".dcm"))
    started = time.monotonic()
    if isinstance(server, servers.PacsCluster):
        done = subprocess.run([server.executable, "import", "--data", server.folder, "--parallel", "8", folder], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit("import ended with %d: %s" % (done.returncode, done.stdout[-500:] + done.stderr[-500:]))
    else:
        _, _, stored, failures = post_all(server, folder, 4, 100)
        if stored != count:
            raise SystemExit("%s stored %d of %d: %s" % (server.name, stored, count, failures[:1]))
    return count / (time.monotonic() - started)


SCRIPT = """
math.randomseed(%d)
local counter = 0
request = function()
  counter = counter + 1
  return wrk.format("GET", (string.gsub("%s", "RANDOM", string.format("%%07d", math.random(0, %d)))), {["Accept"] = "application/dicom+json"})
end
"""


def ask(server, path, count, seconds, clients):
    """Requests a second, p50 and p99 in ms, and the answers that were no success."""
    script = os.path.join(server.folder, "ask.lua")
    with open(script, "w") as file:
        file.write(SCRIPT % (1, path.replace("%", "%%"), count - 1))
    done = subprocess.run(["wrk", "-t1", "-c%d" % clients, "-d%ds" % seconds, "--timeout", "60s", "--latency", "-s", script, "http://127.0.0.1:%d" % server.http_port],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if rate is None:
        raise SystemExit("wrk: " + done.stdout + done.stderr)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
    percentiles = {share: float(value) * units[unit] for share, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s|m)\b", done.stdout)}
    return float(rate.group(1)), percentiles.get("50", 0), percentiles.get("99", 0), int(wrong.group(1)) if wrong else 0


def matches(server, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=600)
    connection.request("GET", path, headers={"Accept": "application/dicom+json"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return len(json.loads(body)) if response.status == 200 else 0


def qido(bench):
    """Searches under eight clients at each size of archive; 200,000 studies are stored into ours only."""
    seconds = 2 if bench.quick else 10
    for count in (1000,) if bench.quick else bench.web_sizes:
        folder = study_files(bench, count)
        queries = {
            "Patient ID": ("/dicom-web/studies?PatientID=BENCHRANDOM", None),
            "PatientName=SM*": ("/dicom-web/studies?PatientName=SM*", NAMED),
            "a month": ("/dicom-web/studies?StudyDate=20230501-20230531", min(MONTH, max(0, count - NAMED))),
            "newest 25": ("/dicom-web/studies?limit=25", 25),
        }
        for server_class in web_servers(bench):
            if count > 20000 and server_class is not servers.PacsCluster:
                continue
            with server_class(bench.work) as server:
                say("%-18s %d studies taken in at %.0f/s" % (server.name, count, load(server, folder)))
                for label, (path, expected) in queries.items():
                    found = matches(server, path.replace("RANDOM", "0000007"))
                    if found != (expected or 1):
                        bench.remark("%s at %d studies: %s found %d, expected %d" % (server.name, count, label, found, expected or 1))
                    ask(server, path, count, 1, 8)
                    for _ in range(bench.rounds):
                        rate, p50, p99, wrong = ask(server, path, count, seconds, 8)
                        if wrong:
                            bench.remark("%s at %d studies: %s: %d answers were no success" % (server.name, count, label, wrong))
                        row = "QIDO-RS %s at %s studies, eight clients" % (label, format(count, ","))
                        bench.add(row + ", requests/s", server.name, rate)
                        bench.add(row + ", p99, ms", server.name, p99)
                        say("%-18s %s: %.1f/s, p50 %.2f, p99 %.2f ms" % (server.name, row, rate, p50, p99))


def qido_series(bench):
    """QIDO-RS instances of a series of 500, one client."""
    count = 100 if bench.quick else 500
    folder = os.path.join(bench.work, "files", "series-%d" % count)
    studies = synthetic.write_files(folder, count, 1, synthetic.CT, "CT", 4, 4)
    for server_class in web_servers(bench):
        with server_class(bench.work) as server:
            post_all(server, folder, 1, 50)
            path = "/dicom-web/studies/%s/instances" % studies[0]
            if matches(server, path) != count:
                bench.remark("%s: instances of a series of %d: not all found" % (server.name, count))
            for _ in range(bench.rounds):
                _, p50, _, _ = ask(server, path, 1, 2 if bench.quick else 5, 1)
                row = "QIDO-RS instances of a series of %d, p50, ms" % count
                bench.add(row, server.name, p50)
                say("%-18s %s: %.1f" % (server.name, row, p50))


def run_qido(bench):
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: apt-get install wrk")
    qido_series(bench)
    qido(bench)


SECTIONS = {"stow": stow, "qido": run_qido}
