"""`portolan serve`: services come up, stay up, and end cleanly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.servers.process import eventually, free_port
from tests.unit.console.running import Place, ready


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def said(process: subprocess.Popen[str], lines: int) -> str:
    """The next lines that a process prints."""
    assert process.stdout
    return "".join(process.stdout.readline() for _ in range(lines))


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process said until it ended."""
    out, err = process.communicate(timeout=40)
    return out, err


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_both_services_are_ready_and_end_with_exit_code_0(place: Place, number: signal.Signals) -> None:
    with place.served() as process:
        assert ready(place.registry)
        assert ready(place.repository)
        out = said(process, 3)
        process.send_signal(number)
        _, err = ended(process)

    assert process.returncode == 0, err
    assert f"{place.registry}/registry" in out
    assert f"{place.repository}/repository" in out
    assert "registry.db" in out
    assert err == ""


def test_one_service_is_started_alone(place: Place) -> None:
    with place.served("registry") as process:
        assert ready(place.registry)
        assert not ready(place.repository)
        assert said(process, 1).startswith("registry ")


def test_it_answers_soon_after_all_its_workers_were_killed(place: Place) -> None:
    with place.served("registry") as process:
        [server] = children_of(process.pid)
        workers = children_of(server)
        assert workers
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: ready(place.registry), "ready again", 2)


def test_a_service_that_dies_is_started_again_and_its_workers_do_not_outlive_it(place: Place) -> None:
    with place.served("registry") as process:
        [server] = children_of(process.pid)
        workers = children_of(server)
        os.kill(server, signal.SIGKILL)
        eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "no workers left", 5)
        eventually(lambda: children_of(process.pid) not in ([], [server]), "started again", 5)
        eventually(lambda: ready(place.registry), "ready again", 15)


def test_nothing_is_left_when_the_supervisor_is_killed(place: Place) -> None:
    with place.served("registry") as process:
        [server] = children_of(process.pid)
        process.kill()
        eventually(lambda: not ready(place.registry) and not Path(f"/proc/{server}").exists(), "gone", 15)


def test_pipelined_requests_are_answered_in_one_connection(place: Place) -> None:
    with place.served("registry"), socket.create_connection(("127.0.0.1", place.registry_port)) as client:
        client.settimeout(10)
        client.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        received = b""
        while received.count(b"\r\n\r\nlive\n") < 3:
            piece = client.recv(65536)
            assert piece
            received += piece


def test_a_header_that_never_ends_is_hung_up_on(tmp_path: Path) -> None:
    place = Place(tmp_path, PORTOLAN_IDLE_TIMEOUT="1s")
    with place.served("registry"), socket.create_connection(("127.0.0.1", place.registry_port)) as client:
        client.settimeout(10)
        client.sendall(b"GET /live HT")
        began = time.monotonic()
        while client.recv(1000):
            pass
        assert time.monotonic() - began < 5


def test_wrong_settings_are_all_named_before_anything_starts(tmp_path: Path) -> None:
    place = Place(tmp_path, PORTOLAN_REGISTRY_WORKERS="many", PORTOLAN_REGISTRY_THREDS="8")

    told = place.run("serve", code=2).stderr

    assert "PORTOLAN_REGISTRY_WORKERS in the environment is 'many'" in told
    assert "did you mean PORTOLAN_REGISTRY_THREADS?" in told
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_told_in_one_sentence(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.registry_port)):
        told = place.run("serve", code=1).stderr

    assert told.count("\n") == 1
    assert f"Port {place.registry_port} is in use" in told
    assert "PORTOLAN_REGISTRY_BIND" in told


def test_a_file_of_settings_reaches_the_children(place: Place) -> None:
    port = free_port()
    file = place.folder / "settings.toml"
    file.write_text(
        f'[registry]\nbind = "127.0.0.1:{port}"\nurl = "http://127.0.0.1:{port}/registry"\nworkers = 1\nthreads = 3\n'
    )
    del place.environ["PORTOLAN_REGISTRY_BIND"], place.environ["PORTOLAN_REGISTRY_URL"]
    process = place.start("serve", "registry", "--config", "settings.toml")
    out = said(process, 1)
    process.terminate()
    _, err = ended(process)

    assert process.returncode == 0, err
    assert "1 worker of 3 threads" in out


def test_a_database_that_is_behind_is_refused_when_asked_to(place: Place) -> None:
    told = place.run("serve", "registry", "--no-migrate", code=1).stderr

    assert "portolan migrate" in told


def test_it_gives_up_on_a_service_that_cannot_start(tmp_path: Path) -> None:
    unreachable = f"postgresql+psycopg://someone:hidden@127.0.0.1:{free_port()}/nothing"
    place = Place(tmp_path, PORTOLAN_DATABASE=unreachable)

    told = place.run("serve", "registry", code=1).stderr

    assert "3 times in a row" in told
    assert "cannot be used" in told
    assert "hidden" not in told
