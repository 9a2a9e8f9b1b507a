"""`portolan doctor` and the cross-reference, and the collector of traces."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from common.db import open_database
from common.settings import Settings, load
from console.doctor import identity, neighbours, observing
from console.doctor.finding import Finding, Outcome
from identity.rules.identifiers import Key
from identity.store import conflicts, forwarding, schema
from tests.servers.process import free_port

NHS, LOCAL = Key("2.16.840.1.113883.2.1.4.1", "9990001006"), Key("2.999.1", "L1")


def settings(folder: Path, **more: str) -> Settings:
    """Settings with this data directory."""
    return load({"PORTOLAN_DATA": str(folder), **{f"PORTOLAN_{name}": value for name, value in more.items()}})


def bad(found: list[Finding]) -> dict[str, str]:
    """Texts of warnings and failures, with their advice."""
    return {each.text: each.advice for each in found if each.outcome is not Outcome.OK and "free in" not in each.text}


def migrated(current: Settings) -> None:
    """Make its database."""
    database = open_database(current.identity_database_url)
    schema.upgrade(database)
    database.close()


def test_nothing_is_said_where_there_is_none(tmp_path: Path) -> None:
    current = settings(tmp_path)

    assert list(identity.look(current)) == []
    assert "identity" not in dict(neighbours.addresses(current))


def test_one_that_settings_speak_of_is_missed(tmp_path: Path) -> None:
    current = settings(tmp_path, IDENTITY_URL="http://127.0.0.1:9/identity")

    assert "identity.db is not there yet" in " ".join(bad(list(identity.look(current))))
    assert dict(neighbours.addresses(current))["identity"] == "http://127.0.0.1:9/identity"
    assert not (tmp_path / "identity.db").exists()


def test_one_whose_schema_is_behind_cannot_work(tmp_path: Path) -> None:
    (tmp_path / "identity.db").touch()

    [failure] = [each for each in identity.look(settings(tmp_path)) if each.outcome is Outcome.FAIL]
    assert failure.advice == "Run `portolan migrate`."


def test_one_that_is_well_is_well(tmp_path: Path) -> None:
    current = settings(tmp_path)
    migrated(current)

    found = list(identity.look(current))

    assert bad(found) == {}
    assert any("as this release needs it" in each.text for each in found)


def test_what_waits_for_an_administrator_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        current = settings(tmp_path, IDENTITY_FORWARD=f"127.0.0.1:{port}")
        migrated(current)
        database = open_database(current.identity_database_url)
        with database.write() as work:
            conflicts.keep(work, "two-numbers", [NHS, LOCAL], "they differ", "M1", "20260101000000")
            forwarding.keep(work, "A04", NHS)
            work.commit()
        with database.read() as work:
            due = forwarding.next_due(work)
        assert due is not None
        with database.write() as work:
            forwarding.refused(work, due.number, "unknown")
            work.commit()
        database.close()

        found = list(identity.look(current))

    assert bad(found) == {
        "conflicts of patients' ids that wait for an administrator: 1": "`portolan identity conflicts` lists them.",
        "messages that the Registry refused: 1": (
            "`portolan identity forwards` says why; then `--again` or `--discard`."
        ),
    }
    assert not any(NHS.extension in each.text for each in found)


def test_what_waits_for_nobody_is_told(tmp_path: Path) -> None:
    current = settings(tmp_path)
    migrated(current)
    database = open_database(current.identity_database_url)
    with database.write() as work:
        forwarding.keep(work, "A04", NHS)
        work.commit()
    database.close()

    assert list(bad(list(identity.look(current)))) == [
        "messages for the Registry that wait, while nobody is to be told: 1"
    ]


def test_whom_it_tells_and_asks_has_to_be_there(tmp_path: Path) -> None:
    current = settings(
        tmp_path,
        IDENTITY_FORWARD=f"127.0.0.1:{free_port()}",
        TRACING="https://pds.example/fhir",
        TRACING_TOKEN_FILE=str(tmp_path / "token"),
    )
    migrated(current)

    told = " ".join(bad(list(identity.look(current))))

    assert "does not answer" in told
    assert "cannot be read" in told


def test_a_collector_of_traces_has_to_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(observing.look(settings(tmp_path))) == []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        [found] = observing.look(settings(tmp_path, TRACE_ENDPOINT=url))
        assert found.outcome is Outcome.OK
    [found] = observing.look(settings(tmp_path, TRACE_ENDPOINT=url))
    assert found.outcome is Outcome.WARN
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace.export", None)
    [found] = observing.look(settings(tmp_path, TRACE_ENDPOINT=url))
    assert found.outcome is Outcome.FAIL
    assert "pip install 'portolan[tracing]'" in found.text
