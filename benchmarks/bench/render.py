"""Rendered pictures over HTTP, beside Orthanc's own rendered route. Eight clients are wrk, whose own cost is small."""
import gc
import http.client
import json
import os
import random
import statistics
import time

import sections
import servers
import synthetic
import wado

MG = "1.2.840.10008.5.1.4.1.1.1.2"


class Client:
    """One kept connection; asks for pictures by number."""

    def __init__(self, server, resources):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
        self.resources = resources

    def picture(self, number, media_type):
        self.connection.request("GET", self.resources[number % len(self.resources)], headers={"Accept": media_type})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200 or answer.getheader("Content-Type") != media_type:
            raise SystemExit("%d %s: %s" % (answer.status, answer.getheader("Content-Type"), body[:300]))
        return len(body)


def resources(server, study):
    """URLs of the pictures of a study's instances."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)

    def ask(path, body=None):
        connection.request("POST" if body else "GET", path, body=body, headers={"Accept": "application/dicom+json" if not body else "*/*"})
        return json.loads(connection.getresponse().read())
    if isinstance(server, servers.Orthanc):
        found = ask("/tools/find", json.dumps({"Level": "Instance", "Query": {"StudyInstanceUID": study}}))
        return ["/instances/%s/rendered" % one for one in found]
    found = ask("/dicom-web/studies/%s/instances" % study)
    return ["/dicom-web/studies/%s/series/%s/instances/%s/rendered" % (study, one["0020000E"]["Value"][0], one["00080018"]["Value"][0]) for one in found]


def soften(folder):
    """The synthetic CTs are noise, which no encoder likes: a smooth picture with a little noise in its place."""
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".dcm"):
            continue
        path = os.path.join(folder, name)
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            source = random.Random(name)
            pixels = memoryview(data)[-512 * 512 * 2:].cast("H")
            noise = [source.randrange(24) for _ in range(4096)]
            for y in range(512):
                for x in range(512):
                    pixels[y * 512 + x] = 900 + (x * x + y * y) // 900 % 400 + noise[(x * 7 + y * 13) % 4096]
            pixels.release()
            file.seek(0)
            file.write(data)


def render(bench):
    """Latency on one connection and rate on eight, JPEG and PNG, over 20 CTs of 512 x 512; latency of a mammogram of 3,000 x 4,000."""
    folder = os.path.join(bench.work, "files", "render-ct")
    is_new = not os.path.exists(folder + "/complete")
    study = synthetic.write_files(folder, 20, 1, synthetic.CT, "CT", 512, 512)[0]
    if is_new:
        soften(folder)
    large = os.path.join(bench.work, "files", "render-mg")
    mammogram = synthetic.write_files(large, 2, 1, MG, "MG", 4000, 3000)[0]
    count = 60 if bench.quick else 600
    for round_number in range(bench.rounds):
        for server_class in bench.servers:
            if server_class not in (servers.PacsCluster, servers.Orthanc):
                continue
            with server_class(bench.work) as server:
                sections.send(bench, server, folder, 1)
                sections.send(bench, server, large, 1)
                pictures = resources(server, study)
                for media_type in ("image/jpeg", "image/png"):
                    measure(bench, server, pictures, media_type, count)
                client = Client(server, resources(server, mammogram))
                client.picture(0, "image/jpeg")
                times = [timed(lambda: client.picture(number, "image/jpeg")) for number in range(4 if bench.quick else 20)]
                bench.add("rendered image/jpeg of a 3000 × 4000 MG, p50, ms", server.name, statistics.median(times))
                sections.say("%-18s MG %.0f ms" % (server.name, statistics.median(times)))


def timed(call):
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def measure(bench, server, pictures, media_type, count):
    client = Client(server, pictures)
    for number in range(count // 4):
        client.picture(number, media_type)
    gc.disable()
    times = sorted(timed(lambda: client.picture(number, media_type)) for number in range(count))
    gc.enable()
    bench.add("rendered %s of a 512 × 512 CT, p50, ms" % media_type, server.name, times[len(times) // 2])
    bench.add("rendered %s of a 512 × 512 CT, p99, ms" % media_type, server.name, times[len(times) * 99 // 100])
    rate = wado.rate_of(bench, server, pictures, media_type, 2 if bench.quick else 8)
    bench.add("rendered %s of a 512 × 512 CT, eight clients, pictures/s" % media_type, server.name, rate)
    sections.say("%-18s %s p50 %.2f ms, eight clients %.0f/s" % (server.name, media_type, times[len(times) // 2], rate))


SECTIONS = {"render": render}
