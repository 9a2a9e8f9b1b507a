"""`portolan serve` as process 1, as in a container: it can be stopped, and takes note of the ends of orphans."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.process import eventually
from tests.unit.console.running import Place, ready

pytestmark = pytest.mark.system

_UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def can_unshare() -> bool:
    """Whether this machine lets us make a process 1 of our own."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state_of(pid: int) -> str:
    """The letter of a process's state; Z is a zombie, nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@pytest.mark.skipif(not can_unshare(), reason="no process namespaces on this machine")
def test_as_process_1_it_reaps_orphans_and_stops_cleanly(tmp_path: Path) -> None:
    place = Place(tmp_path)
    outer = subprocess.Popen(
        [*_UNSHARE, sys.executable, "-m", "console", "serve", "registry"],
        cwd=tmp_path,
        env=place.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: ready(place.registry), "ready")
        [supervisor] = children_of(outer.pid)
        [server] = children_of(supervisor)
        workers = children_of(server)
        os.kill(server, signal.SIGKILL)
        eventually(lambda: not any(state_of(worker) for worker in workers), "orphans are gone, none is a zombie", 10)
        eventually(lambda: ready(place.registry), "ready again", 15)
        began = time.monotonic()
        os.kill(supervisor, signal.SIGTERM)
        out, err = outer.communicate(timeout=40)
    finally:
        outer.kill()
    assert outer.returncode == 0, (out, err)
    assert time.monotonic() - began < 10
