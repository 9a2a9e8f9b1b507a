"""`portolan audit`, as it is used: against a service that runs, and noted in the trail."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import text

from console.cli import portolan
from tests.audit_sender import send
from tests.servers.process import eventually
from tests.service.audit_kit import Repository, a_repository
from tests.unit.auditing.kit import a_patient, an_event, syslog

PATIENT = "9990003009"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Plain and open, with a key, and eleven records of which ten can be read."""
    folder = tmp_path_factory.mktemp("audit")
    made = a_repository(
        folder,
        {
            "AUDIT_REPOSITORY_KEY": str(folder / "key.pem"),
            "AUDIT_REPOSITORY_CHECKPOINTS": str(folder / "checkpoints"),
            "AUDIT_REPOSITORY_CHECKPOINT_EVERY": "1s",
        },
    )
    assert "to verify with" in run(made, "key", str(folder / "key.pem"))
    made.start()
    made.await_listening()
    messages = [
        syslog(an_event(patient=a_patient(PATIENT), user=f"user{number}", outcome="8" if number == 4 else "0",
                        name="=HYPERLINK(1)<u@i>", at=f"2026-03-11T14:{number:02}:00Z"), number)
        for number in range(10)
    ]  # fmt: skip
    assert send(made.syslog, [*messages, b"garbage"])
    yield made
    made.kill()


def run(repository: Repository, *arguments: str, code: int = 0) -> str:
    """A command of `portolan audit`; what it prints."""
    done = CliRunner(env=repository.environment).invoke(portolan, ["audit", *arguments])
    assert done.exit_code == code, done.output
    return done.stdout


def test_it_is_found_by_patient_user_time_and_outcome(repository: Repository) -> None:
    told = [json.loads(line) for line in run(repository, "search", "--patient", PATIENT, "--transaction", "ITI-43",
                                             "--format", "json").splitlines()]  # fmt: skip
    assert [each["record"] for each in told] == list(range(10, 0, -1))
    assert told[0]["participants"][2]["user"] == "user9"

    failed = run(repository, "search", "--patient", PATIENT, "--outcome", "failure", "--format", "csv")
    rows = list(csv.reader(io.StringIO(failed, newline="")))
    assert [row[0] for row in rows[1:]] == ["5"]
    narrow = run(repository, "search", "--user", "user7", "--from", "2026-03-11T14:07", "--to", "2026-03-11T14:07")
    assert narrow.splitlines()[1].split()[0] == "8"
    assert "Nothing" in run(repository, "search", "--user", "user7", "--to", "2026-03-10")
    assert "unreadable" in run(repository, "search", "--unreadable")
    assert len(run(repository, "search", "--limit", "2", "--format", "json").splitlines()) == 2


def test_a_record_is_shown_whole_and_as_it_came(repository: Repository) -> None:
    told = json.loads(run(repository, "show", "5", "--json"))
    assert (told["outcome"], told["description"]) == ("8", "XDSDocumentUniqueIdError")
    assert "user4" in run(repository, "show", "5")
    assert run(repository, "show", "11", "--raw") == "garbage\n"
    run(repository, "show", "999999", code=1)


def test_a_patient_is_told_who_saw_their_record(repository: Repository, tmp_path: Path) -> None:
    table = run(repository, "report", "--patient", PATIENT, "--to", "2026-03-11")
    assert "10 in all" in table
    assert "Opened documents" in table
    assert "Refused or failed" in table

    rows = list(csv.reader(io.StringIO(run(repository, "report", "--patient", PATIENT, "--format", "csv"), newline="")))
    assert rows[1][1] == "'=HYPERLINK(1) (user0)"
    assert "Read the record of accesses" in {row[4] for row in rows[1:]}

    file = tmp_path / "accesses.pdf"
    run(repository, "report", "--patient", PATIENT, "--format", "pdf", "--output", str(file))
    assert file.read_bytes().startswith(b"%PDF")
    assert file.stat().st_mode & 0o077 == 0
    run(repository, "report", "--patient", "9990003000", code=2)
    run(repository, "report", "--patient", PATIENT, "--format", "pdf", code=2)


def test_whoever_asks_stands_in_the_trail(repository: Repository) -> None:
    run(repository, "search", "--user", "somebody else")

    told = json.loads(
        run(repository, "search", "--transaction", "110101", "--limit", "2", "--format", "json").splitlines()[1]
    )
    assert "somebody else" in told["objects"][-1]["query"]
    assert "@" in told["participants"][0]["user"]


def test_over_http_it_says_the_same(repository: Repository) -> None:
    url = f"http://127.0.0.1:{repository.port}/audit/AuditEvent?date=2026-03-11&patient.identifier={PATIENT}"

    assert len(requests.get(url, timeout=10).json()["entry"]) == 10


def test_it_is_verified_with_what_was_kept_elsewhere_and_shown(repository: Repository) -> None:
    data = Path(repository.environment["PORTOLAN_DATA"])
    eventually((data / "checkpoints").exists, "a checkpoint is made")
    told = json.loads(
        run(repository, "verify", "--json", "--checkpoints", str(data / "checkpoints"), "--public-key",
            str(data / "key.pem.pub"))
    )  # fmt: skip
    assert told["whole"]
    assert told["checkpoints"] >= 2

    database = repository.database()
    with database.engine.begin() as connection:
        whole = bytes(connection.scalar(text("SELECT raw FROM arr_record WHERE number = 3")) or b"")
        connection.execute(text("DROP TRIGGER arr_record_update_guard"))
        connection.execute(text("UPDATE arr_record SET raw = :raw WHERE number = 3"), {"raw": b"harmed"})
    database.close()

    doctor = CliRunner(env=repository.environment).invoke(portolan, ["doctor"])
    assert "it was whole when it was last verified" in doctor.stdout
    told_as_table = run(repository, "verify", code=1)
    assert "record 3 was changed" in told_as_table
    assert "NOT WHOLE" in told_as_table
    assert "record 3 was changed" in run(repository, "verify", "--chain-only", code=1)
    noted = json.loads((data / "audit-verified.json").read_text())
    assert noted["whole"] is False
    database = repository.database()
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE arr_record SET raw = :raw WHERE number = 3"), {"raw": whole})
        connection.execute(text("DROP TRIGGER arr_term_delete_guard"))
        connection.execute(text("DELETE FROM arr_term WHERE number = 3"))
    database.close()
    run(repository, "verify", "--chain-only")  # which does not take back what was found
    doctor = CliRunner(env=repository.environment).invoke(portolan, ["doctor"])
    assert "it was not whole when it was last verified" in doctor.stdout
    assert "signed with the key" in doctor.stdout
