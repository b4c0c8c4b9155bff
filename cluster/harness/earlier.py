"""The server of an earlier commit, built from this repository's history: what serves on while a newer one changes the schema under it."""
import os
import re
import shutil
import subprocess
import tempfile

from product import publish
from settings import ROOT, Problem

SCHEMA = "src/PacsCluster.Catalog/Postgres/Schema.cs"


def git(*arguments):
    """What git answers of this checkout; None when it cannot."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def steps(text):
    """Steps of a text of Schema.cs: its newest version."""
    return len(re.findall(r"OldestProgram = \d", text or ""))


def newest_with_older_schema():
    """The newest commit in HEAD's history of which PostgreSQL's schema has fewer steps than here; None when the history holds none (a shallow clone, no clone)."""
    with open(os.path.join(ROOT, SCHEMA)) as file:
        here = steps(file.read())
    for commit in (git("rev-list", "--date-order", "HEAD") or "").split():
        if 0 < steps(git("show", "%s:%s" % (commit, SCHEMA))) < here:
            return commit
    return None


def server_of(commit, work):
    """The published server of a commit, which is kept in `work` for the next time."""
    full = (git("rev-parse", "--verify", "--quiet", commit + "^{commit}") or "").strip()
    if not full:
        raise Problem("this repository has no commit %s" % commit)
    kept = os.path.join(work, "earlier", full[:12])
    if not os.path.isdir(kept):
        making = tempfile.mkdtemp(prefix="making-", dir=work)
        try:
            source = os.path.join(making, "source")
            os.makedirs(source)
            archive = os.path.join(making, "source.tar")
            if git("archive", "--output=" + archive, full) is None:
                raise Problem("git archive %s failed" % full)
            subprocess.run(["tar", "-xf", archive, "-C", source], check=True, stdin=subprocess.DEVNULL)
            # The SDK would ask the folder's own repository, which is this one, and take today's commit for the program's.
            publish(making, source, ["-p:EnableSourceControlManagerQueries=false", "-p:SourceRevisionId=" + full])
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            os.rename(os.path.join(making, "publish"), kept)
        except SystemExit as end:
            raise Problem("commit %s: %s" % (full, end)) from None
        finally:
            shutil.rmtree(making)
    return os.path.join(kept, "PacsCluster.Server")
