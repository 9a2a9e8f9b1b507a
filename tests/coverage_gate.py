"""A pytest plugin: the run fails unless nine in ten branches of the rooms that decide are covered.

It stands here and not after pytest, so that pytest's own summary stays the last line of a run.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import coverage
import pytest

LEAST_PERCENT = 90.0
ROOMS = (
    "common/model",
    "common/standard",
    "common/soap",
    "common/ebxml",
    "common/rules",
    "registry/rules",
    "repository/rules",
)
_verdicts = pytest.StashKey[list[str]]()


def branches(files: dict[str, dict[str, dict[str, int]]], room: str) -> tuple[int, int]:
    """How many branches the room has, and how many of them were taken."""
    summaries = [file["summary"] for name, file in files.items() if Path(name).is_relative_to(room)]
    return sum(each["num_branches"] for each in summaries), sum(each["covered_branches"] for each in summaries)


def verdicts(files: dict[str, dict[str, dict[str, int]]]) -> list[str]:
    """A line for each room that is covered too little."""
    counted = {room: branches(files, room) for room in ROOMS}
    return [
        f"{room}: {taken} of {there} branches covered ({100 * taken / there:.1f} %, at least {LEAST_PERCENT:.0f})"
        for room, (there, taken) in counted.items()
        if there and 100 * taken / there < LEAST_PERCENT
    ]


def measured() -> dict[str, dict[str, dict[str, int]]]:
    """What the run covered, by file."""
    data = coverage.Coverage()
    data.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        data.json_report(outfile=str(report))
        files: dict[str, dict[str, dict[str, int]]] = json.loads(report.read_text(encoding="utf-8"))["files"]
        return files


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Judge the coverage when the last test has run."""
    if hasattr(session.config, "workerinput") or exitstatus not in (0, 1):
        return
    try:
        found = verdicts(measured())
    except coverage.exceptions.NoDataError:
        found = ["nothing was measured"]
    session.config.stash[_verdicts] = found
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what is covered too little."""
    for line in config.stash.get(_verdicts, []):
        terminalreporter.write_line(f"COVERAGE TOO LOW: {line}", red=True)
