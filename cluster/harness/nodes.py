"""The PacsCluster nodes: the same executable three times, with one catalog and one store of blobs."""
import json
import os

from database import answer_of

# As in the units: the runtime's diagnostics would leave pipes in the temporary folder when a node is killed.
ENVIRONMENT = {"DOTNET_gcServer": "0", "DOTNET_EnableDiagnostics": "0"}


class Nodes:
    def __init__(self, settings, processes, database, blob_store):
        self.settings = settings
        self.processes = processes
        self.database = database
        self.blob_store = blob_store
        # Node number → what it has of its own: "connection_string" and "blob_port" (the drills put proxies between), "said_name", "blobs",
        # "engine" (options), "executable".
        self.special = {}

    @staticmethod
    def name(number):
        return "node%d" % number

    def numbers(self):
        return range(1, self.settings.nodes + 1)

    def folder(self, number):
        return self.settings.path(self.name(number))

    def configure(self, number):
        """Folder and pacscluster.json of a node."""
        dicom, http = self.settings.node_ports(number)
        folder = self.folder(number)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        special = self.special.get(number, {})
        link = os.path.join(folder, "blobs")
        if self.settings.blobs == "files" and not os.path.islink(link):
            os.symlink(special.get("blobs") or self.settings.path("blobs"), link)
        options = {
            "Node": {"Name": special.get("said_name", self.name(number))},
            "Catalog": {"ConnectionString": special.get("connection_string") or self.database.connection_string()},
            **self.blob_store.options(special.get("blob_port"), special.get("engine", {})),
            "Dimse": {"AETitle": self.settings.title, "Port": dicom},
            "Http": {"Port": http},
            "Web": {"PublicUrl": "http://127.0.0.1:%d/dicom-web" % self.settings.http},
        }
        path = os.path.join(folder, "pacscluster.json")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(options, file, indent=2)

    def start(self, number, wait=True):
        self.configure(number)
        executable = self.special.get(number, {}).get("executable") or self.settings.executable
        self.processes.start(self.name(number), [executable, "serve", "--data", self.folder(number)], folder=self.folder(number), environment=ENVIRONMENT)
        if wait:
            self.wait_ready(number)

    def wait_ready(self, number, seconds=60):
        self.processes.wait_until(self.name(number), lambda: self.is_ready(number), seconds, "it is not ready")

    def is_ready(self, number):
        answer = answer_of(self.settings.node_ports(number)[1], "/health/ready")
        return answer is not None and answer[0] == 200

    def metric(self, name):
        """Sum of a metric over the nodes that answer."""
        total = 0.0
        for number in self.numbers():
            answer = answer_of(self.settings.node_ports(number)[1], "/metrics")
            total += sum(float(line.split()[1]) for line in (answer or (0, ""))[1].splitlines() if line.startswith(name + " "))
        return total
