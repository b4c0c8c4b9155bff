"""A PostgreSQL server of Debian's binaries on loopback, for one run: its own folder, a free port, a user that is not root."""
import glob
import os
import pwd
import shutil
import subprocess

import servers


class Postgres:
    USER = "postgres"

    def __init__(self, folder):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.port = servers.free_port()
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        self.binaries = found[-1] if found else os.path.dirname(shutil.which("initdb") or "")
        if not self.binaries:
            raise SystemExit("PostgreSQL is missing: apt-get install postgresql")
        self.is_running = False

    def run(self, program, *arguments, wrong=True):
        command = [os.path.join(self.binaries, program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid", self.USER, "--regid", self.USER, "--init-groups", *command]
        # Its own server's log goes to a file: a pipe would stay open as long as the server runs.
        done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=program != "pg_ctl", text=True)
        if done.returncode != 0 and wrong:
            raise SystemExit("%s ended with %d: %s" % (program, done.returncode, (done.stderr or "") + self.log()[-2000:]))
        return done.stdout or ""

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def create(self):
        os.makedirs(self.folder, exist_ok=True)
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.USER)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self.run("initdb", "-D", self.data, "-U", self.USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")

    def start(self, *settings):
        """Starts it with these settings beside its defaults, e.g. fsync=off."""
        words = ["-p %d" % self.port, "-c listen_addresses=127.0.0.1", "-c unix_socket_directories=%s" % self.folder] + ["-c " + s for s in settings]
        self.run("pg_ctl", "start", "-D", self.data, "-w", "-t", "600", "-s", "-l", os.path.join(self.folder, "log"), "-o", " ".join(words))
        self.is_running = True

    def stop(self):
        if self.is_running:
            self.run("pg_ctl", "stop", "-D", self.data, "-m", "fast", "-w", "-t", "600", "-s")
        self.is_running = False

    def pid(self):
        """Of the process that started all the others."""
        with open(os.path.join(self.data, "postmaster.pid")) as file:
            return int(file.readline())

    def sql(self, database, text):
        """Rows as lists of texts."""
        lines = self.run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", self.USER, "-d", database, "-v", "ON_ERROR_STOP=1", "-qAt", "-F", "\t", "-c", text).splitlines()
        return [line.split("\t") for line in lines]

    def connection_string(self, database):
        return "Host=127.0.0.1;Port=%d;Username=%s;Database=%s" % (self.port, self.USER, database)
