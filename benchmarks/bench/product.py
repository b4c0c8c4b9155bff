"""The executable that users get, and the generator of catalogs, both published from this checkout."""
import os
import platform
import shutil
import subprocess

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def publish(work, root=ROOT, properties=()):
    """Publishes this checkout, or another, into the folder; Release, compiled ahead where the SDK can fetch the compiler for it. Gives the executable."""
    out = os.path.join(work, "publish")
    base = ["dotnet", "publish", "src/PacsCluster.Server", "-c", "Release", "-o", out, "--artifacts-path", os.path.join(work, "build"), "-v", "quiet", *properties]
    ahead = base + ["-r", "linux-arm64" if platform.machine() == "aarch64" else "linux-x64"]
    for command in (ahead, base):
        shutil.rmtree(out, ignore_errors=True)
        done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 0:
            return os.path.join(out, "PacsCluster.Server")
        print(done.stdout[-2000:])
    raise SystemExit("the server does not build")


class Fill:
    """The generator, built from this checkout."""

    def __init__(self, work):
        out = os.path.join(work, "catalogfill")
        done = subprocess.run(["dotnet", "publish", "benchmarks/PacsCluster.CatalogFill", "-c", "Release", "-o", out, "--artifacts-path", os.path.join(work, "build"), "-v", "quiet"],
                              cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit("CatalogFill does not build: " + done.stdout[-2000:])
        self.program = os.path.join(out, "PacsCluster.CatalogFill")

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit("CatalogFill ended with %d: %s" % (done.returncode, (done.stdout + done.stderr)[-2000:]))
        return done.stdout
