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


def signed(method, name, length=0, blob_type=None, **query):
    """Path and headers of a request without Content-Type, authorized by Shared Key."""
    path = "/%s/%s" % (ACCOUNT, name)
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION, **({"x-ms-blob-type": blob_type} if blob_type else {})}
    lines = [method, "", "", str(length or "")] + [""] * 8 + ["%s:%s" % pair for pair in sorted(headers.items())] + ["/%s%s" % (ACCOUNT, path)] + ["%s:%s" % pair for pair in sorted(query.items())]
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()).decode()
    headers["Authorization"] = "SharedKey %s:%s" % (ACCOUNT, signature)
    return path + ("?" + "&".join("%s=%s" % pair for pair in query.items()) if query else ""), headers


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
        path, headers = signed("PUT", CONTAINER, restype="container")
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.settings.azurite, path), method="PUT", data=b"", headers={**headers, "Content-Type": "", "Content-Length": "0"})
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
