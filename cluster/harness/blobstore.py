"""Where the nodes' blobs lie: Azurite in the place of Azure Blob Storage, or a folder that all nodes share."""
import base64
import hashlib
import hmac
import os
import subprocess
import urllib.error
import urllib.request
from email.utils import formatdate

from settings import ROOT, Problem

# The account that every Azurite has, and its key, which is public (Azurite's documentation).
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "pacs"
VERSION = "2021-12-02"
# The tests have it already.
PACKAGE = os.path.join(ROOT, "tests", "PacsCluster.Blobs.Tests", "node")
PROGRAM = os.path.join(PACKAGE, "node_modules", "azurite", "dist", "src", "blob", "main.js")


class BlobStore:
    def __init__(self, settings, processes):
        self.settings = settings
        self.processes = processes

    def start(self, say):
        if self.settings.blobs == "files":
            os.makedirs(self.settings.path("blobs"), mode=0o700, exist_ok=True)
            return
        if not os.path.exists(PROGRAM):
            say("Azurite from npm into " + os.path.relpath(PACKAGE, ROOT))
            done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=PACKAGE, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise Problem("npm ci in %s failed:\n%s" % (PACKAGE, (done.stdout + done.stderr)[-1000:]))
        say("Azurite on %d" % self.settings.azurite)
        self.processes.start("azurite", ["node", PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", str(self.settings.azurite), "--location", self.settings.path("azurite"),
                                         "--silent", "--disableTelemetry"])
        self.processes.wait_until("azurite", self.make_container, 60, "it does not make a container")

    def make_container(self):
        """Put Container, authorized by Shared Key; true when it is there."""
        path = "/%s/%s" % (ACCOUNT, CONTAINER)
        date = formatdate(usegmt=True)
        signed = "PUT" + "\n" * 12 + "x-ms-date:%s\nx-ms-version:%s\n/%s%s\nrestype:container" % (date, VERSION, ACCOUNT, path)
        signature = base64.b64encode(hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()).decode()
        request = urllib.request.Request("http://127.0.0.1:%d%s?restype=container" % (self.settings.azurite, path), method="PUT", data=b"", headers={
            "x-ms-date": date, "x-ms-version": VERSION, "Authorization": "SharedKey %s:%s" % (ACCOUNT, signature), "Content-Type": "", "Content-Length": "0"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status == 201
        except urllib.error.HTTPError as error:
            if error.code == 409:
                return True
            raise Problem("Azurite refuses a container: %d %s" % (error.code, error.read().decode(errors="replace"))) from None
        except OSError:
            return False

    def options(self, port, engine):
        """What a node's pacscluster.json says of blobs and of the engine; through another port than Azurite's own when one is given."""
        if self.settings.blobs == "files":
            return {"Engine": engine}
        endpoint = "http://127.0.0.1:%d/%s" % (port or self.settings.azurite, ACCOUNT)
        connection = "DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=%s;" % (ACCOUNT, KEY, endpoint)
        return {"Blobs": {"Azure": {"azure": {"Container": CONTAINER, "ConnectionString": connection}}}, "Engine": {"Policy": {"Copies": ["azure"]}, **engine}}
