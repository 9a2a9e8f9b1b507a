"""Every bench that the documents name runs to its end at the smallest size, and prints what it is for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The fixture says, where there is no PostgreSQL, that these are left out.
pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.usefixtures("postgres_server")]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("security --rounds 1 --requests 40", "mutual TLS"),
        ("audit --rounds 1 --requests 40 --sides without,audit", "ITI-43"),
        ("access --rounds 1 --requests 40", "of a request's CPU"),
        ("purge --documents 20 --rate 20 --turns 1 1", "times the quiet one"),
        ("feeds --messages 20 --documents 20", "messages/s"),
        ("large --size 16 --rounds 1", "ITI-43"),
        ("fairness --size 8 --count 2 --quiet 1", "p95"),
        ("replica --requests 40", "FindDocuments"),
        ("growth --documents 100,200 --rounds 1 --scale 0.02", "FindDocuments"),
        ("audit_repository --records 400 --rounds 1", "records/s"),
        ("scale show", "spread by"),
    ],
    ids=lambda value: value.split()[0],
)
def test_a_bench_runs_to_its_end(command: str, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *f"bench.{command}".split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    # 1 also says that a bar was not met, which at these sizes says nothing.
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr, done.stderr
    assert told in done.stdout
