"""The commands of the README that no other test runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.system


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A command in the checkout."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_the_readme_begins_with_exactly_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)

    assert [block.strip() for block in blocks] == ["python3 start.py demo", "python3 start.py test"]


def test_the_first_command_shows_letters_that_went_in_and_came_back() -> None:
    shown = run(sys.executable, "start.py", "demo")

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("✔") >= 6
    assert "999 000 1006" in shown.stdout


def test_the_bench_prints_every_path_beside_its_floors() -> None:
    printed = run(sys.executable, "-m", "bench.run", "--database", "sqlite", "--scale", "0.01")

    assert printed.returncode == 0, printed.stderr
    for path in (
        "floor: empty endpoint",
        "ITI-42",
        "FindDocuments LeafClass, 100",
        "ITI-41, 100 MiB",
        "ITI-43, 100 MiB",
    ):
        assert path in printed.stdout
