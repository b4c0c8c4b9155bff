"""Processes that outlive the command that started them: each has a log and a pid file, and is ended by its id and by no name."""
import os
import signal
import subprocess
import time

from settings import Problem


def start_ticks(pid):
    """When the kernel started the process; None when there is none or it has ended. Tells a process from a later one with the same id."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


class Processes:
    def __init__(self, folder):
        self.runs = os.path.join(folder, "run")
        self.logs = os.path.join(folder, "logs")
        self.children = {}

    def start(self, name, command, user=None, folder="/", environment=None):
        """Starts in a session of its own; `user` is the system user to become, for root only."""
        if self.pid(name) is not None:
            raise Problem("%s runs already" % name)
        os.makedirs(self.runs, exist_ok=True)
        os.makedirs(self.logs, exist_ok=True)
        become = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}
        with open(self.log(name), "ab") as log:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True,
                                     env={**os.environ, **(environment or {})}, **become)
        self.children[name] = child
        with open(os.path.join(self.runs, name + ".pid"), "w") as file:
            file.write("%d %s\n" % (child.pid, start_ticks(child.pid)))

    def log(self, name):
        return os.path.join(self.logs, name + ".log")

    def names(self):
        return sorted(f[:-4] for f in os.listdir(self.runs) if f.endswith(".pid")) if os.path.isdir(self.runs) else []

    def pid(self, name):
        """Its id while it runs."""
        if name in self.children:
            self.children[name].poll()
        try:
            with open(os.path.join(self.runs, name + ".pid")) as file:
                pid, ticks = file.read().split()
        except (OSError, ValueError):
            return None
        return int(pid) if str(start_ticks(int(pid))) == ticks else None

    def kill(self, name):
        """kill -9, and waits until it is gone; gives its id."""
        pid = self.pid(name)
        if pid is None:
            raise Problem("%s does not run: see %s" % (name, self.log(name)))
        os.kill(pid, signal.SIGKILL)
        self.wait_gone(name, 10)
        return pid

    def stop(self, name, seconds=45):
        """SIGTERM, and SIGKILL when that is not heeded; False when it was not."""
        pid = self.pid(name)
        heeded = True
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            heeded = self.wait_gone(name, seconds)
            if not heeded:
                os.kill(pid, signal.SIGKILL)
                self.wait_gone(name, 10)
        path = os.path.join(self.runs, name + ".pid")
        if os.path.exists(path):
            os.unlink(path)
        return heeded

    def wait_gone(self, name, seconds):
        until = time.monotonic() + seconds
        while self.pid(name) is not None:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def tail(self, name, lines=12):
        try:
            with open(self.log(name), errors="replace") as file:
                return "".join("    " + line for line in file.readlines()[-lines:])
        except OSError:
            return ""

    def wait_until(self, name, ready, seconds, what):
        """Until ready() gives something true; a process that ends before, or the time's end, is a Problem with the end of its log."""
        until = time.monotonic() + seconds
        while True:
            answer = ready()
            if answer:
                return answer
            if self.pid(name) is None:
                raise Problem("%s has ended. The end of %s:\n%s" % (name, self.log(name), self.tail(name)))
            if time.monotonic() > until:
                raise Problem("%s after %d s: %s. The end of %s:\n%s" % (name, seconds, what, self.log(name), self.tail(name)))
            time.sleep(0.05)
