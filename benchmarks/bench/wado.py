"""Section `wado`: Retrieve over DICOMweb. Bodies are read from the socket and thrown away, so that the server is what is measured."""
import os
import random
import re
import shutil
import socket
import subprocess
import threading
import time

import sections
import servers
import synthetic

STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
JSON = "application/dicom+json"


class PacsClusterWeb(servers.PacsCluster):
    """A study is complete after a second of quiet instead of a minute: waiting would only cost the benchmark's time."""
    settings = {"Engine": {"CompletionQuietPeriod": "1 s"}}


class Client:
    """One kept connection; gives status, headers and the number of body bytes (or the body)."""

    def __init__(self, port):
        self.port = port
        self.room = bytearray(1 << 20)
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def get(self, path, accept, more="", keep=False):
        self.socket.sendall(("GET /dicom-web/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: %s\r\n%s\r\n" % (path, accept, more)).encode())
        data = self.rest
        while b"\r\n\r\n" not in data:
            data += self.receive()
        head, self.rest = data.split(b"\r\n\r\n", 1)
        status = int(head.split(b" ", 2)[1])
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in head.decode("latin-1").split("\r\n")[1:])}
        body = [] if keep else None
        if "content-length" in headers:
            count = self.take(int(headers["content-length"]), body)
        elif headers.get("transfer-encoding") == "chunked":
            count = 0
            while True:
                size = int(self.line(), 16)
                count += self.take(size, body)
                self.take(2, None)
                if size == 0:
                    break
        elif status in (204, 304):
            count = 0
        else:
            # Orthanc ends what it streams by closing; a new connection is for the next request.
            count = self.to_the_end(body)
            self.close()
            self.connect()
        return status, headers, b"".join(body) if keep else count

    def receive(self):
        got = self.socket.recv(65536)
        if not got:
            raise ConnectionError("the server closed the connection")
        return got

    def line(self):
        while b"\r\n" not in self.rest:
            self.rest += self.receive()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def take(self, size, body):
        left = size - min(size, len(self.rest))
        if body is not None:
            body.append(self.rest[:size])
        self.rest = self.rest[size:]
        while left > 0:
            got = self.socket.recv_into(self.room, min(left, len(self.room)))
            if got == 0:
                raise ConnectionError("the server closed the connection")
            if body is not None:
                body.append(bytes(self.room[:got]))
            left -= got
        return size

    def to_the_end(self, body):
        count = len(self.rest)
        if body is not None:
            body.append(self.rest)
        while got := self.socket.recv_into(self.room):
            if body is not None:
                body.append(bytes(self.room[:got]))
            count += got
        return count

    def close(self):
        self.socket.close()


def files(bench, name, count, studies, rows):
    folder = os.path.join(bench.work, "files", "wado-%s%s" % (name, "-quick" if bench.quick else ""))
    if not os.path.exists(folder + "/complete"):
        sections.say("generating %d files of %s" % (count, name))
    return folder, synthetic.write_files(folder, count, studies, synthetic.CT, "CT", rows, rows)


def loaded(bench, folder):
    """Both servers, holding the files."""
    running = [server(bench.work) for server in (PacsClusterWeb, servers.OrthancWeb) if any(server.name == s.name for s in bench.servers)]
    for server in running:
        server.start()
        sections.send(bench, server, folder, 4)
    return running


def series_of(server, study):
    client = Client(server.http_port)
    _, _, body = client.get("studies/%s/series" % study, JSON, keep=True)
    client.close()
    return re.findall(rb'"0020000E"\s*:\s*{[^}]*"Value"\s*:\s*\[\s*"([0-9.]+)"', body)[0].decode()


def instances_of(server, study):
    client = Client(server.http_port)
    status, _, body = client.get("studies/%s/instances?limit=5000" % study, JSON, keep=True)
    client.close()
    found = re.findall(rb'"00080018"\s*:\s*{[^}]*"Value"\s*:\s*\[\s*"([0-9.]+)"', body)
    if status != 200 or not found:
        raise SystemExit("%s: searching for instances answers %d" % (server.name, status))
    return [uid.decode() for uid in found]


def studies(bench):
    """One study of 1 GB; and eight clients that download different ones."""
    count = 100 if bench.quick else 2000
    folder, uids = files(bench, "study", count, 1, 512)
    running = loaded(bench, folder)
    try:
        for _ in range(bench.rounds * 2):
            for server in running:
                client, cpu, started = Client(server.http_port), server.watch.cpu_seconds(), time.monotonic()
                status, _, size = client.get("studies/" + uids[0], STORED)
                seconds, cpu = time.monotonic() - started, server.watch.cpu_seconds() - cpu
                client.close()
                if status != 200 or size < count * 512 * 512 * 2:
                    bench.remark("%s: retrieving the study answers %d with %d bytes" % (server.name, status, size))
                bench.add("WADO-RS study of %d CT as stored, MB/s" % count, server.name, size / 1e6 / seconds)
                bench.add("server CPU per GB of it, s", server.name, cpu / size * 1e9)
                sections.say("%-18s study: %.0f MB/s, %.2f s CPU per GB" % (server.name, size / 1e6 / seconds, cpu / size * 1e9))
    finally:
        for server in running:
            server.stop()
    uploads = [files(bench, name, count, 1, 512)[0] for name in ("study", "upload")]
    folder, uids = files(bench, "eight", 8 * (25 if bench.quick else 2000), 8, 512)
    for server in loaded(bench, folder):
        try:
            # What storing took is not what is asked here.
            with open("/proc/%d/clear_refs" % server.process.pid, "w") as file:
                file.write("5")
            server.watch.peak_bytes = 0
            started = time.monotonic()
            threads = [threading.Thread(target=download, args=(server.http_port, uid)) for uid in uids]
            threads.append(threading.Thread(target=upload, args=(bench, server, uploads)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            server.watch.sample()
            bench.add("peak memory while eight clients retrieve %d CT each and one stores %d in one request, MB" % (25 if bench.quick else 2000, 2 * count), server.name, server.watch.peak_bytes / 1e6)
            sections.say("%-18s eight clients: %.0f s, peak %.0f MB" % (server.name, time.monotonic() - started, server.watch.peak_bytes / 1e6))
        finally:
            server.stop()


def upload(bench, server, folders):
    """One store request of all files of some folders, sent file by file."""
    paths = [os.path.join(folder, name) for folder in folders for name in sorted(os.listdir(folder)) if name.endswith(".dcm")]
    head, end = b"--upload\r\nContent-Type: application/dicom\r\n\r\n", b"--upload--\r\n"
    length = sum(len(head) + os.path.getsize(path) + 2 for path in paths) + len(end)
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=600) as connection:
        connection.sendall(('POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/dicom+json\r\nContent-Type: multipart/related; '
                            'type="application/dicom"; boundary=upload\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' % length).encode())
        for path in paths:
            with open(path, "rb") as file:
                connection.sendall(head + file.read() + b"\r\n")
        connection.sendall(end)
        answer = b""
        while got := connection.recv(65536):
            answer += got
    status = answer.split(b" ", 2)[1:2]
    if status != [b"200"] or answer.count(b'"00081199"') == 0:
        bench.remark("%s: storing %d instances in one request answers %s" % (server.name, len(paths), answer[:200]))


def download(port, study):
    client = Client(port)
    client.get("studies/" + study, STORED)
    client.close()


def metadata(bench):
    """Median time of metadata, by a client that takes gzip, of complete studies in a warm server."""
    for count in (50,) if bench.quick else (500, 2000, 5000):
        folder, uids = files(bench, "metadata-%d" % count, count, 1, 16)
        running = loaded(bench, folder)
        try:
            for server in running:
                path = "studies/%s/metadata" % uids[0] if count != 500 else "studies/%s/series/%s/metadata" % (uids[0], series_of(server, uids[0]))
                client = Client(server.http_port)
                if isinstance(server, PacsClusterWeb):
                    complete(client, uids[0])
                times = []
                for _ in range(3 if isinstance(server, servers.OrthancWeb) else 30):
                    started = time.perf_counter()
                    status, _, size = client.get(path, JSON, "Accept-Encoding: gzip\r\n")
                    times.append((time.perf_counter() - started) * 1000)
                client.close()
                if status != 200:
                    bench.remark("%s: metadata answers %d" % (server.name, status))
                row = "metadata of %d instances, p50, ms" % count
                bench.add(row, server.name, sections.percentile(times, 0.5))
                sections.say("%-18s %s: %.1f (%d bytes)" % (server.name, row, sections.percentile(times, 0.5), size))
        finally:
            for server in running:
                server.stop()


def complete(client, study):
    """Waits until the study counts as complete and its metadata is packed."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        _, headers, _ = client.get("studies/%s/metadata" % study, JSON, "Accept-Encoding: gzip\r\n")
        if headers.get("etag", "").endswith('-gz"'):
            return
        time.sleep(0.2)
    raise SystemExit("the study is not complete after two minutes")


SCRIPT = """
local paths = {}
for line in io.lines("%s") do paths[#paths + 1] = line end
local at = 0
function request()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at], {["Accept"] = '%s'})
end
"""


def rate_of(bench, server, paths, accept, seconds):
    """Answers a second to eight clients that ask for one path after the other, by wrk."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: apt-get install wrk")
    listing, script = os.path.join(server.folder, "paths.txt"), os.path.join(server.folder, "paths.lua")
    with open(listing, "w") as file:
        file.write("\n".join(paths))
    with open(script, "w") as file:
        file.write(SCRIPT % (listing, accept))
    said = subprocess.run(["wrk", "-t1", "-c8", "-d", "%ds" % seconds, "-s", script, "http://127.0.0.1:%d" % server.http_port],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    if "Non-2xx" in said:
        bench.remark("%s: not every answer to %s was 200" % (server.name, paths[0]))
    return float(re.search(r"Requests/sec:\s*([0-9.]+)", said).group(1))


def frames(bench):
    """One native frame of 512 x 512, from random instances of 200: one client, then eight (wrk)."""
    folder, uids = files(bench, "frames", 200, 1, 512)
    running = loaded(bench, folder)
    source = random.Random(1)
    try:
        for server in running:
            series = series_of(server, uids[0])
            paths = ["studies/%s/series/%s/instances/%s/frames/1" % (uids[0], series, one) for one in instances_of(server, uids[0])]
            source.shuffle(paths)
            for _ in range(bench.rounds):
                client, times = Client(server.http_port), []
                for number in range(200 if bench.quick else 2000):
                    started = time.perf_counter()
                    status, _, size = client.get(paths[number % len(paths)], FRAME)
                    times.append((time.perf_counter() - started) * 1000)
                client.close()
                if status != 200 or size < 512 * 512 * 2:
                    bench.remark("%s: a frame answers %d with %d bytes" % (server.name, status, size))
                bench.add("one native frame 512 × 512, p50, ms", server.name, sections.percentile(times, 0.5))
                bench.add("one native frame 512 × 512, p99, ms", server.name, sections.percentile(times, 0.99))
                rate = rate_of(bench, server, ["/dicom-web/" + path for path in paths], FRAME, 2 if bench.quick else 10)
                bench.add("native frames by eight clients, frames/s", server.name, rate)
                sections.say("%-18s frames: p50 %.2f, p99 %.2f ms; eight clients %.0f/s" % (server.name, sections.percentile(times, 0.5), sections.percentile(times, 0.99), rate))
    finally:
        for server in running:
            server.stop()


def wado(bench):
    """Retrieve over DICOMweb: studies, metadata, frames."""
    studies(bench)
    metadata(bench)
    frames(bench)
