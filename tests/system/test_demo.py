"""The demonstration from a newcomer's side."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from console.letters.samples import sample_letters
from tests.servers.process import eventually
from tests.unit.console.running import Place, ready

pytestmark = pytest.mark.system


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def rows(out: str) -> list[str]:
    """The lines of the table."""
    return [line for line in out.splitlines() if re.match(r"999 000 \d{4}, ", line)]


def test_it_shows_every_letter_verified_and_ends_with_exit_code_0(place: Place) -> None:
    out = place.run("demo").stdout

    assert len(rows(out)) == len(sample_letters())
    assert all("✔" in row for row in rows(out))
    assert "Submitted 6 letters" in out
    assert f"{place.registry}/registry" in out
    assert str(place.folder / "data/demo/registry.db") in out
    assert not ready(place.registry)
    assert not ready(place.repository)


def test_a_second_run_finds_the_letters_of_the_first(place: Place) -> None:
    place.run("demo", "--keep", "here")

    out = place.run("demo", "--keep", "here").stdout

    assert "6 letters are there from an earlier run" in out
    assert sum("✔" in row for row in rows(out)) == len(sample_letters())


def test_it_goes_to_another_port_when_one_is_taken_and_says_so(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.registry_port)):
        out = place.run("demo").stdout

    assert "The usual port of the registry is taken" in out
    assert f"{place.registry}/" not in out
    assert f"{place.repository}/" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_with_stay_its_next_steps_work_until_it_is_stopped(place: Place, number: signal.Signals) -> None:
    process = place.start("demo", "--stay")
    assert process.stdout
    told = []
    try:
        for line in process.stdout:
            told.append(line)
            if "Ctrl-C" in line:
                break
        commands = [line.strip() for line in told if line.startswith("  ") and ("console" in line or "curl" in line)]
        assert len(commands) == 4, told
        for command in commands:
            done = subprocess.run(
                ["/bin/sh", "-ec", command.replace("curl ", f"{sys.executable} -c '{_CURL}' ")],
                cwd=place.folder,
                env=place.environ,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, (command, done.stderr)
            assert done.stdout or "fetch" in command
        assert (place.folder / "letter.pdf").read_bytes() == sample_letters()[0].content
    finally:
        process.send_signal(number)
        process.communicate(timeout=40)

    assert process.returncode == 0
    eventually(lambda: not ready(place.registry), "stopped", 5)


# What curl does; it need not be installed.
_CURL = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"


def test_it_leaves_no_service_behind_when_it_is_killed(place: Place) -> None:
    process = place.start("demo", "--stay")
    eventually(lambda: ready(place.registry) and ready(place.repository), "ready")
    process.kill()
    process.communicate()

    eventually(lambda: not ready(place.registry) and not ready(place.repository), "stopped", 15)


def test_a_folder_that_cannot_be_written_is_told(place: Place) -> None:
    (place.folder / "taken").write_text("a file")

    told = place.run("demo", "--keep", "taken/below", code=1).stderr

    assert "cannot be written" in told
    assert "Traceback" not in told
