"""PostgreSQL as Patroni keeps it: etcd, two members, synchronous replication; and who of them is the primary."""
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

from processes import start_ticks
from settings import Problem

MEMBERS = ("db1", "db2")


def answer_of(port, path, seconds=3):
    """Status and body of a GET on loopback; None when nobody answers."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, ValueError):
        return None


class Database:
    def __init__(self, settings, processes):
        self.settings = settings
        self.processes = processes
        self.user = None
        if os.geteuid() == 0:
            try:
                entry = pwd.getpwnam(settings.database_user)
            except KeyError:
                raise Problem("there is no system user %s: install postgresql, or set database_user" % settings.database_user) from None
            self.user = (entry.pw_uid, entry.pw_gid)

    def password(self, role):
        """Made at the first asking, kept in a file that only its owner reads."""
        path = self.settings.path("passwords.json")
        kept = {}
        if os.path.exists(path):
            with open(path) as file:
                kept = json.load(file)
        if role not in kept:
            kept[role] = secrets.token_urlsafe(24)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(kept, file)
        return kept[role]

    def port(self, member):
        return self.settings.postgres + MEMBERS.index(member)

    def rest_port(self, member):
        return self.settings.patroni + MEMBERS.index(member)

    def start_etcd(self):
        s = self.settings
        client, peer = "http://127.0.0.1:%d" % s.etcd_client, "http://127.0.0.1:%d" % s.etcd_peer
        self.processes.start("etcd", [
            "etcd", "--name", "etcd1", "--data-dir", s.path("etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "etcd1=" + peer,
            "--heartbeat-interval", "200", "--election-timeout", "2000"])
        self.processes.wait_until("etcd", lambda: (answer_of(s.etcd_client, "/health") or (0, ""))[0] == 200, 60, "it is not healthy")

    def configuration(self, member):
        s = self.settings
        return {
            "scope": "pacscluster", "name": member,
            "restapi": {"listen": "127.0.0.1:%d" % self.rest_port(member), "connect_address": "127.0.0.1:%d" % self.rest_port(member)},
            "etcd3": {"hosts": ["127.0.0.1:%d" % s.etcd_client]},
            "bootstrap": {
                # loop_wait + 2 × retry_timeout must not exceed ttl, or a healthy primary could lose its lease to one slow answer.
                "dcs": {"ttl": s.ttl, "loop_wait": max(1, s.ttl // 5), "retry_timeout": max(2, s.ttl * 2 // 5), "maximum_lag_on_failover": 1048576,
                        "synchronous_mode": True,
                        "postgresql": {"use_pg_rewind": True, "parameters": {"max_connections": 200, "wal_log_hints": "on"}}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": "127.0.0.1:%d" % self.port(member), "connect_address": "127.0.0.1:%d" % self.port(member),
                "data_dir": s.path(member, "data"), "bin_dir": s.postgres_bin, "pgpass": s.path(member, "pgpass"),
                "authentication": {"superuser": {"username": "postgres", "password": self.password("postgres")},
                                   "replication": {"username": "replicator", "password": self.password("replicator")},
                                   "rewind": {"username": "rewinder", "password": self.password("rewinder")}},
                "pg_hba": ["local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256",
                           "host replication replicator 127.0.0.1/32 scram-sha-256"],
                # A copy waits for a checkpoint; spread out, as is the default, that is minutes.
                "basebackup": [{"checkpoint": "fast"}],
                "parameters": {"unix_socket_directories": s.path(member), "password_encryption": "scram-sha-256"},
            },
            "watchdog": {"mode": "off"},
        }

    def start_member(self, member):
        """Starts Patroni, which starts or makes the member; returns at once."""
        folder = self.settings.path(member)
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o700)
        path = os.path.join(folder, "patroni.yml")
        # JSON is YAML.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.configuration(member), file, indent=2)
        if self.user:
            for owned in (folder, path):
                os.chown(owned, *self.user)
        # Patroni finds its packages in the system's Python, whatever else is first on PATH.
        self.processes.start("patroni-" + member, ["/usr/bin/python3", shutil.which("patroni"), path], user=self.user, folder=folder)

    def members(self):
        """The members as Patroni lists them: name → its fields; empty while none answers."""
        for member in MEMBERS:
            answer = answer_of(self.rest_port(member), "/cluster")
            if answer and answer[0] == 200:
                return {m["name"]: m for m in json.loads(answer[1])["members"]}
        return {}

    def primary(self):
        """The member that takes writes now; None while there is none. Asked of the member itself, because the list may lag."""
        for member in MEMBERS:
            answer = answer_of(self.rest_port(member), "/primary")
            if answer and answer[0] == 200:
                return member
        return None

    def has_synchronous_standby(self):
        members = self.members()
        return any(m["role"] == "sync_standby" and m["state"] in ("running", "streaming") for m in members.values())

    def start(self, say):
        say("etcd on %d" % self.settings.etcd_client)
        self.start_etcd()
        say("PostgreSQL db1 under Patroni on %d" % self.settings.postgres)
        self.start_member("db1")
        self.processes.wait_until("patroni-db1", self.primary, 120, "no primary")
        self.make_catalog()
        say("PostgreSQL db2 on %d, synchronous standby" % (self.settings.postgres + 1))
        self.start_member("db2")
        self.wait_whole(120)

    def wait_whole(self, seconds):
        """Until there are a primary and a synchronous standby."""
        def whole():
            return self.primary() and self.has_synchronous_standby()
        self.processes.wait_until("patroni-db2", whole, seconds, "db1 and db2 are not primary and synchronous standby")

    def tool(self, program, *arguments, member=None, user="postgres", database="postgres", seconds=120):
        """What one of PostgreSQL's programs answers of the primary, or of a member; a Problem with its words when it fails."""
        member = member or self.primary()
        if member is None:
            raise Problem("there is no primary")
        command = [os.path.join(self.settings.postgres_bin, program), "-h", "127.0.0.1", "-p", str(self.port(member)), "-U", user, "-d", database, *arguments]
        done = subprocess.run(command, env={**os.environ, "PGPASSWORD": self.password(user), "PGCONNECT_TIMEOUT": "3"}, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=seconds)
        if done.returncode:
            raise Problem("%s: %s" % (program, done.stderr.strip()))
        return done.stdout.strip()

    def sql(self, text, **options):
        """psql's answer, a line a row, columns apart by |."""
        return self.tool("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text, **options)

    def make_catalog(self, name="pacs"):
        """Role and empty database; the first node fills it."""
        if self.sql("SELECT 1 FROM pg_roles WHERE rolname = 'pacs'") != "1":
            self.sql("CREATE ROLE pacs LOGIN PASSWORD '%s'" % self.password("pacs"))
        if self.sql("SELECT 1 FROM pg_database WHERE datname = '%s'" % name) != "1":
            self.sql("CREATE DATABASE %s OWNER pacs ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0" % name)

    def connection_string(self, ports=None, name="pacs"):
        """In Npgsql's words; both members, of which the nodes take the primary."""
        hosts = ",".join("127.0.0.1:%d" % port for port in ports or [self.port(m) for m in MEMBERS])
        return "Host=%s;Database=%s;Username=pacs;Password=%s;Timeout=5" % (hosts, name, self.password("pacs"))

    def sizes(self):
        """The catalog's tables: (name, rows, bytes of the table with its long values, bytes of its indexes); rows as the statistics have them."""
        self.sql("ANALYZE", user="pacs", database="pacs")
        lines = self.sql("SELECT relname, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class WHERE relkind = 'r' "
                         "AND relnamespace = 'public'::regnamespace AND reltuples > 0 ORDER BY pg_total_relation_size(oid) DESC", user="pacs", database="pacs")
        return [(name, int(rows), int(table), int(index)) for name, rows, table, index in (line.split("|") for line in lines.splitlines())]

    def connections(self):
        """Connections open to the catalog now."""
        return int(self.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pacs'"))

    def postmaster(self, member):
        """The id of the member's PostgreSQL; None when it does not run."""
        try:
            with open(self.settings.path(member, "data", "postmaster.pid")) as file:
                pid = int(file.readline())
        except (OSError, ValueError):
            return None
        return pid if start_ticks(pid) is not None and self.is_ours(pid, member) else None

    def is_ours(self, pid, member):
        """The file may be older than the machine's last start, and the id another's: PostgreSQL's working folder is its data folder."""
        try:
            return os.path.realpath("/proc/%d/cwd" % pid) == os.path.realpath(self.settings.path(member, "data"))
        except OSError:
            return False

    def kill_primary(self):
        """kill -9 of Patroni and the postmaster of the primary, Patroni first so that it cannot hand over; gives the member's name."""
        member = self.primary()
        if member is None:
            raise Problem("there is no primary to kill")
        postmaster = self.postmaster(member)
        self.processes.kill("patroni-" + member)
        if postmaster is not None:
            os.kill(postmaster, signal.SIGKILL)
        return member

    def stop(self, say):
        """The standby first, so that the primary has nobody to hand over to."""
        first = self.primary()
        for member in sorted(MEMBERS, key=lambda m: m == first):
            if self.processes.pid("patroni-" + member) is None and self.postmaster(member) is None:
                self.processes.stop("patroni-" + member)
                continue
            say("PostgreSQL " + member)
            self.processes.stop("patroni-" + member)
            self.end_postmaster(member)
        self.processes.stop("etcd")

    def end_postmaster(self, member):
        """A PostgreSQL whose Patroni was killed lives on: SIGINT is its fast stop."""
        pid = self.postmaster(member)
        if pid is None:
            return
        for number, seconds in ((signal.SIGINT, 30), (signal.SIGKILL, 5)):
            os.kill(pid, number)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if start_ticks(pid) is None:
                    return
                time.sleep(0.05)
        raise Problem("PostgreSQL of %s (process %d) does not end" % (member, pid))
