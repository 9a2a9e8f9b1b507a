"""Metrics: fed by calls, bounded in labels, merged over processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.observe import metrics, stages
from common.observe.workers import DIRECTORY, prepare

WORKER = """
import os, sys
from common.observe import metrics
metrics.request("registry", "ITI-42", "Success", 0.02)
metrics.document_bytes("in", 10)
metrics.pending_documents(3)
left_in_flight = metrics.in_flight("registry")
left_in_flight.__enter__()
if sys.argv[1:] == ["show"]:
    sys.stdout.buffer.write(metrics.render())
    sys.stdout.flush()
os._exit(0)
"""


def value(line: str, text: bytes | None = None) -> float:
    """The value of one line of the rendered metrics, 0 when it is not there."""
    for found in (text or metrics.render()).decode().splitlines():
        if found.startswith(f"{line} "):
            return float(found.removeprefix(line))
    return 0.0


def test_a_request_is_counted_and_timed() -> None:
    counted = 'portolan_requests_total{outcome="Success",service="registry",transaction="ITI-18"}'
    bucket = 'portolan_request_seconds_bucket{le="0.05",service="registry",transaction="ITI-18"}'
    before = value(counted), value(bucket)
    metrics.request("registry", "ITI-18", "Success", 0.03)

    assert (value(counted), value(bucket)) == (before[0] + 1, before[1] + 1)


def test_stages_bytes_errors_and_pending_documents_are_seen() -> None:
    with stages.watched("repository") as watch:
        watch.transaction = "ITI-41"
        with stages.aside("storage"):
            pass
    metrics.document_bytes("out", 1480)
    metrics.error("XDSUnknownPatientId")
    metrics.pending_documents(2)

    text = metrics.render()
    assert value('portolan_stage_seconds_count{service="repository",stage="storage",transaction="ITI-41"}', text) == 1
    assert value('portolan_document_bytes_total{direction="out"}', text) == 1480
    assert value('portolan_errors_total{code="XDSUnknownPatientId"}', text) == 1
    assert value("portolan_pending_documents", text) == 2
    assert b'portolan_build_info{version="v' in text


def test_a_request_is_in_flight_until_it_ends() -> None:
    line = 'portolan_in_flight{service="registry"}'
    with pytest.raises(RuntimeError):
        fail_in_flight(line)

    assert value(line) == 0


def fail_in_flight(line: str) -> None:
    with metrics.in_flight("registry"):
        assert value(line) == 1
        raise RuntimeError


@pytest.mark.parametrize("code", ["9990001006", "X9990001006", "a b", "", 'x"y', "line\nbreak", "x" * 65])
def test_s15_a_label_that_is_not_ours_counts_as_other(code: str) -> None:
    before = value('portolan_errors_total{code="other"}')
    metrics.error(code)

    assert value('portolan_errors_total{code="other"}') == before + 1
    assert b"9990001006" not in metrics.render()


def test_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_MOST_CHILDREN", len(metrics._known) + 5)
    for number in range(50):
        metrics.error(f"Bounded{number}")

    assert metrics.render().count(b"Bounded") <= 5


def test_every_metric_of_the_table_is_rendered() -> None:
    text = metrics.render()

    assert all(f"# HELP portolan_{row.name}".encode() in text for row in metrics.TABLE)


def test_workers_are_added_up_and_the_dead_forgotten(tmp_path: Path) -> None:
    environ = dict(os.environ)
    directory = prepare(tmp_path, "registry", environ)
    command = [sys.executable, "-c", WORKER]
    for _ in range(2):
        subprocess.run(command, env=environ, check=True)
    text = subprocess.run([*command, "show"], env=environ, check=True, capture_output=True).stdout

    assert value('portolan_requests_total{outcome="Success",service="registry",transaction="ITI-42"}', text) == 3
    assert value('portolan_request_seconds_count{service="registry",transaction="ITI-42"}', text) == 3
    assert value('portolan_document_bytes_total{direction="in"}', text) == 30
    assert value("portolan_pending_documents", text) == 3
    assert value('portolan_in_flight{service="registry"}', text) == 1
    assert list(directory.glob("*.db"))


def test_a_start_clears_what_the_last_run_left(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    directory = prepare(tmp_path, "registry", environ)
    (directory / "counter_1.db").write_bytes(b"x")
    prepare(tmp_path, "repository", environ)

    assert (directory / "counter_1.db").exists()
    assert environ[DIRECTORY] == str(tmp_path / "metrics" / "repository")
    prepare(tmp_path, "registry", environ)
    assert not list(directory.iterdir())


def test_the_directory_is_chosen_without_the_library() -> None:
    code = "import common.observe.workers, sys; sys.exit('prometheus_client' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_request_costs_little() -> None:
    best = min(_seconds_for(1_000) for _ in range(5))

    # 10 microseconds is the aim; a busy machine gets room.
    assert best / 1_000 < 50e-6


def _seconds_for(requests: int) -> float:
    began = time.perf_counter()
    for _ in range(requests):
        metrics.request("registry", "ITI-18", "Success", 0.03)
    return time.perf_counter() - began
