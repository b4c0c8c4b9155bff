"""Load that counts: each sender stores instances of its own over one association, tries again until each is acknowledged, and remembers which were."""
import os
import random
import struct
import threading
import time
import urllib.request

import synthetic
from association import Association, implicit

PAUSE_SECONDS = 0.1


class Load:
    """`senders` threads that store `side` × `side` CT images through a port, spread over studies that they share: so many new ones, or those of a list."""

    def __init__(self, port, title, senders, studies=4, side=128, each=None, pause=0.0):
        self.port, self.title, self.each, self.pause = port, title, each, pause
        source = random.Random(os.getpid())
        self.studies = studies if isinstance(studies, list) else [synthetic.Study(number, source) for number in range(studies)]
        self.side = side
        noise = os.urandom(side * side * 2)
        self.pixels = bytes(b if i % 2 == 0 else b & 15 for i, b in enumerate(noise))
        self.lock = threading.Lock()
        self.sent = set()
        # SOP Instance UID → study's UID, of what was acknowledged.
        self.acknowledged = {}
        # SOP Instance UID → series' UID, of what was sent.
        self.series = {}
        self.given_up = []
        self.refused = {}
        self.broken = 0
        self.longest_wait = 0.0
        self.times = []
        self.stopping = threading.Event()
        self.grace_until = None
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(senders)]

    def __enter__(self):
        self.started = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop(0)

    def stop(self, grace):
        """No new instances; those under way have `grace` seconds to be acknowledged."""
        self.grace_until = time.monotonic() + grace
        self.stopping.set()
        for thread in self.threads:
            thread.join(grace + 90)

    def join(self, other):
        """Takes over what another load, which has stopped, sent and heard."""
        self.sent |= other.sent
        self.acknowledged.update(other.acknowledged)
        self.series.update(other.series)
        self.times += other.times
        self.given_up += other.given_up
        self.broken += other.broken
        self.longest_wait = max(self.longest_wait, other.longest_wait)
        for status, count in other.refused.items():
            self.refused[status] = self.refused.get(status, 0) + count

    def wait_acknowledged(self, count, seconds):
        """Until so many more were acknowledged; False when the time ended first."""
        goal, until = len(self.acknowledged) + count, time.monotonic() + seconds
        while len(self.acknowledged) < goal:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def wait_sent(self, seconds):
        """Until every sender of a load with an end (`each`) is done, or the time is over."""
        until = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, until - time.monotonic()))

    def run(self, number):
        association = None
        series = synthetic.new_uid()
        study = self.studies[number % len(self.studies)]
        made = 0
        while not self.stopping.is_set() and (self.each is None or made < self.each):
            made += 1
            instance, data = synthetic.data_set(study, series, made, synthetic.CT, "CT", self.side, self.side, 1, self.pixels)
            with self.lock:
                self.sent.add(instance)
                self.series[instance] = series
            association = self.store(association, study, instance, data)
            if self.pause:
                self.stopping.wait(self.pause)
        if association is not None:
            association.close()

    def store(self, association, study, instance, data):
        """Until the instance is acknowledged or grace has ended; gives the association to go on with."""
        begun = time.monotonic()
        while True:
            try:
                if association is None:
                    association = Association(self.port, self.title, "DRILL", synthetic.CT, timeout=90, transfer_syntax=synthetic.EXPLICIT_LE)
                status = association.store(instance, data)
            except (OSError, ConnectionError, struct.error):
                with self.lock:
                    self.broken += 1
                if association is not None:
                    association.socket.close()
                association = None
                status = None
            now = time.monotonic()
            # 0000 and the warnings of PS3.4 table B.2-1: stored.
            if status == 0 or status in (0xB000, 0xB006, 0xB007):
                with self.lock:
                    self.acknowledged[instance] = study.uid
                    self.times.append(now)
                    self.longest_wait = max(self.longest_wait, now - begun)
                return association
            if status is not None:
                with self.lock:
                    self.refused[status] = self.refused.get(status, 0) + 1
            if self.grace_until is not None and now > self.grace_until:
                with self.lock:
                    self.given_up.append(instance)
                return association
            time.sleep(PAUSE_SECONDS)

    def outage(self, since=None):
        """Longest time without any acknowledgement, in seconds, from `since` (default the first acknowledgement) to the last one."""
        times = sorted(t for t in self.times if since is None or t >= since)
        if since is not None:
            times = [since] + times
        return max((after - before for before, after in zip(times, times[1:])), default=float("inf"))


def longest_pause(times, during, apart):
    """Longest time between two neighbours of `times` that touches one of the spans `during` and none of the spans `apart`; spans are (from, to). 0 when there is none."""
    def touches(begin, end, spans):
        return any(begin < to and end > since for since, to in spans)
    return max((end - begin for begin, end in zip(times, times[1:]) if touches(begin, end, during) and not touches(begin, end, apart)), default=0.0)


def elements(identifier):
    """(group, element) → value of a flat data set in Implicit VR Little Endian."""
    found, at = {}, 0
    while at + 8 <= len(identifier):
        group, number, length = struct.unpack_from("<HHI", identifier, at)
        found[group, number] = identifier[at + 8:at + 8 + length].rstrip(b" \0").decode("latin-1")
        at += 8 + length
    return found


def uid(group, number, value):
    return implicit(group, number, value.encode() + b"\0" * (len(value) & 1))


def found_in(port, title, study):
    """What a node finds of a study: its own count, and the SOP Instance UIDs as a list."""
    association = Association(port, title, "DRILL", timeout=120)
    try:
        counts = [elements(m).get((0x20, 0x1208)) for m in association.matches(
            implicit(8, 0x52, b"STUDY ") + uid(0x20, 0xD, study) + implicit(0x20, 0x1208, b""))]
        series = [elements(m)[0x20, 0xE] for m in association.matches(
            implicit(8, 0x52, b"SERIES") + uid(0x20, 0xD, study) + implicit(0x20, 0xE, b""))]
        instances = []
        for one in series:
            instances += [elements(m)[8, 0x18] for m in association.matches(
                implicit(8, 0x18, b"") + implicit(8, 0x52, b"IMAGE ") + uid(0x20, 0xD, study) + uid(0x20, 0xE, one))]
        if len(counts) > 1:
            raise ConnectionError("%d studies with the UID %s" % (len(counts), study))
        return int(counts[0] or 0) if counts else 0, instances
    finally:
        association.close()


def retrieved(http_port, study, series, instance):
    """The body of WADO-RS's answer for one instance as it is stored; an OSError when the node does not give it."""
    request = urllib.request.Request("http://127.0.0.1:%d/dicom-web/studies/%s/series/%s/instances/%s" % (http_port, study, series, instance),
                                     headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()
