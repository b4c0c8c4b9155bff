"""HAProxy in front of the nodes: DICOM as a TCP stream to the node with the fewest associations, HTTP by request."""
import subprocess

from settings import Problem

CONFIGURATION = """\
global
    maxconn 4000
defaults
    timeout connect 5s
    retries 3
    option redispatch
    option tcplog
frontend dicom
    mode tcp
    bind 127.0.0.1:{dicom}
    # Longer than Dimse:Timeouts:Inactivity (10 min): the node ends an idle association, not the balancer.
    timeout client 15m
    default_backend dicom_nodes
backend dicom_nodes
    mode tcp
    balance leastconn
    timeout server 15m
    # A node that cannot store (no catalog, no blobs) gets no new associations; the ones it has go on, for it may be over in seconds.
    option httpchk GET /health/ready
    http-check expect status 200
{dicom_servers}
frontend http
    mode http
    bind 127.0.0.1:{http}
    timeout client 60s
    timeout http-keep-alive 60s
    default_backend http_nodes
backend http_nodes
    mode http
    balance leastconn
    # Retrieves stream for as long as the client reads; a silence of a minute ends them.
    timeout server 60s
    option forwardfor
    option httpchk GET /health/ready
    http-check expect status 200
{http_servers}
"""


class Balancer:
    def __init__(self, settings, processes):
        self.settings = settings
        self.processes = processes

    def write(self):
        numbers = range(1, self.settings.nodes + 1)
        check = "check inter 500ms fall 2 rise 1"
        text = CONFIGURATION.format(
            dicom=self.settings.dicom, http=self.settings.http,
            dicom_servers="\n".join("    server node%d 127.0.0.1:%d %s port %d" % (n, *self.settings.node_ports(n)[:1], check, self.settings.node_ports(n)[1]) for n in numbers),
            http_servers="\n".join("    server node%d 127.0.0.1:%d %s" % (n, self.settings.node_ports(n)[1], check) for n in numbers))
        path = self.settings.path("haproxy.cfg")
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self):
        path = self.write()
        checked = subprocess.run(["haproxy", "-c", "-q", "-f", path], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if checked.returncode:
            raise Problem("haproxy refuses %s:\n%s" % (path, checked.stderr))
        self.processes.start("haproxy", ["haproxy", "-db", "-f", path])
