"""`portolan access` from nothing to a decision, on SQLite; each command as somebody types it, in one process."""

from __future__ import annotations

import json
import shlex
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from lxml import etree

from common.access.records import KINDS
from common.db import open_database
from common.settings import SettingsError, load
from console.cli import portolan
from console.commands.access import EXAMPLES
from console.development_sts import assertion as stated
from console.failure import Failure
from console.serving.server import _see_that_there_is_an_access_policy
from console.serving.services import SERVICES
from tests.access_cases import CLINICIAN
from tests.factories import a_document, a_patient_id, a_submission
from tests.unit.registry.small import SmallRegistry
from tests.xua import DOCTOR

BY = ("--by", "R. Manager")


class Typed:
    """Commands in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"PORTOLAN_DATA": str(folder / "data"), "COLUMNS": "200"}
        self("migrate")

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(portolan, arguments, env=self.environment)

    def __call__(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return done.output

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.chdir(tmp_path)
    return Typed(tmp_path)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_added_listed_shown_ended_exported_and_imported(typed: Typed, name: str) -> None:
    example = shlex.split(EXAMPLES[name][0])
    key = typed("access", name, "add", *example).strip()

    [row] = typed.json("access", name, "list")
    assert row[KINDS[name].key] == key
    assert typed.json("access", name, "show", key) == row
    assert key in typed("access", name, "list")
    for file in (f"{name}.csv", f"{name}.jsonl"):
        typed("access", name, "export", file)
        assert typed("access", name, "import", file, *BY) == "0 added, 0 changed.\n"
    assert key in typed("access", name, "end", key, *BY)
    assert typed.json("access", name, "list") == []
    assert len(typed.json("access", name, "list", "--all")) == 1
    assert typed.run("access", name, "end", key, *BY).exit_code == 1
    assert [each["change"] for each in typed.json("access", "journal")] == ["add", "end"]


def test_an_import_takes_all_or_nothing(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("role,right\nR1^1,search\nR1^1,fly\n")

    done = typed.run("access", "roles", "import", "x.csv", *BY)

    assert done.exit_code == 1
    assert "line 3: right" in done.output
    assert typed.json("access", "roles", "list") == []
    assert typed.json("access", "journal") == []


def test_the_journal_is_only_added_to(typed: Typed) -> None:
    typed("access", "services", "add", "--service", "a", "--name", "A", "--organisation", "ZT901", *BY)

    with sqlite3.connect(typed.folder / "data" / "registry.db") as connection:
        for change in ("UPDATE access_journal SET by = 'x'", "DELETE FROM access_journal"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                connection.execute(change)
    connection.close()


def test_agreements_are_printed(typed: Typed, tmp_path: Path) -> None:
    typed("access", "organisations", "add", "--code", "ZT901", "--name", "Northbeck", *BY)
    key = typed(
        "access", "agreements", "add", "--title", "County record", "--providers", "ZT901", "--recipients", "*",
        "--begins", "2026-01-01", *BY,
    ).strip()  # fmt: skip

    told = typed("access", "agreements", "print", key)
    assert "Northbeck (ZT901)" in told
    assert "everybody" in told
    typed("access", "agreements", "print", key, "county.pdf")
    assert (tmp_path / "county.pdf").read_bytes().startswith(b"%PDF-")


def add(typed: Typed, what: str, /, **told: str) -> str:
    options = [part for name, value in told.items() for part in (f"--{name.replace('_', '-')}", value)]
    return typed("access", what, "add", *options, *BY).strip()


def test_agreements_are_found_by_what_they_cover(typed: Typed) -> None:
    add(typed, "organisations", code="ZT901", name="Northbeck")
    add(typed, "organisations", code="ZT90101", name="Northbeck Site", part_of="ZT901")
    of_trust = add(typed, "agreements", title="County", providers="ZT901", recipients="ZG902", types="373942005^^S")
    of_all = add(typed, "agreements", title="Crisis", providers="*", recipients="ZG903", purposes="TREAT^2.999",
                 ends="2026-06-01")  # fmt: skip

    def found(*options: str, at: str = "2026-03-11") -> set[str]:
        return {each["id"] for each in typed.json("access", "agreements", "find", "--at", at, *options)}

    assert found() == {of_trust, of_all}
    assert found(at="2026-06-01") == {of_trust}
    assert found("--provider", "ZT90101") == {of_trust, of_all}
    assert found("--provider", "ZT902") == found("--recipient", "ZG903") == {of_all}
    assert found("--provider", "ZT901", "--recipient", "ZG902") == {of_trust}
    assert found("--type", "373942005") == {of_trust, of_all}
    assert found("--type", "736253002") == {of_all}
    assert found("--purpose", "RESCH") == {of_trust}
    assert "County" in typed("access", "agreements", "find", "--recipient", "ZG902")


def test_endpoints_are_found_and_services_printed_with_where_they_live(typed: Typed, tmp_path: Path) -> None:
    assert "no business service" in typed("access", "services", "print")
    add(typed, "organisations", code="ZT901", name="Northbeck")
    add(typed, "organisations", code="ZT90101", name="Northbeck Site", part_of="ZT901")
    add(typed, "services", service="registry", name="County registry", organisation="ZT901", kind="registry")
    add(typed, "services", service="portal", name="Portal", organisation="ZG902", ends="2020-01-01")
    of_trust = {
        "organisation": "ZT901",
        "service": "registry",
        "address": "https://a.example/",
        "transactions": "ITI-18",
    }
    add(typed, "endpoints", **of_trust)
    add(typed, "endpoints", organisation="ZT90101", service="registry", address="https://b.example/")
    add(typed, "endpoints", **{**of_trust, "address": "https://old.example/", "ends": "2020-01-01"})

    def found(*options: str) -> list[str]:
        return [each["address"] for each in typed.json("access", "endpoints", "find", *options)]

    assert found("--organisation", "ZT90101") == ["https://b.example/", "https://a.example/"]
    assert found("--organisation", "ZT901") == found("--transaction", "ITI-18") == ["https://a.example/"]
    assert found("--organisation", "ZG902") == found("--service", "portal") == []
    told = typed("access", "services", "print")
    assert "https://a.example/ (ITI-18), of Northbeck (ZT901)" in told
    assert "Portal" not in told
    assert "old.example" not in told
    typed("access", "services", "print", "services.pdf")
    assert (tmp_path / "services.pdf").read_bytes().startswith(b"%PDF-")


def test_organisations_come_from_files_of_ods(typed: Typed, tmp_path: Path) -> None:
    row = ["ZG902", "SURGERY", *[""] * 5, "TOWN", "", "ZZ99 9ZZ", "20100401", *[""] * 16]
    (tmp_path / "epraccur.csv").write_text(",".join(row) + "\n")

    assert typed.run("access", "organisations", "import-ods", "epraccur.csv", *BY).exit_code == 2
    told = typed("access", "organisations", "import-ods", "epraccur.csv", "--care-setting", "gp", *BY)
    assert told == "1 added, 0 changed.\n"
    assert typed.json("access", "organisations", "show", "ZG902")["care_setting"] == "gp"


def test_an_explanation_names_each_rule(typed: Typed, tmp_path: Path) -> None:
    patient = a_patient_id()
    letter = a_document(patient_id=patient)
    _register(tmp_path, letter)
    typed("access", "roles", "example", "roles.csv")
    typed("access", "roles", "import", "roles.csv", *BY)
    who = ("--user", "555000000001", "--role", CLINICIAN, "--organisation", "ZT901")
    document = ("--document", letter.unique_id or "")

    told = typed("access", "explain", *who, *document)
    assert "relationship: refuses." in told
    assert "refused, by the rule relationship." in told
    number = patient.partition("^")[0]
    typed("access", "relationships", "add", "--patient-id", number, "--organisation", "ZT901", *BY)
    typed("access", "consents", "add", "--patient-id", number, "--decision", "permit", *BY)
    [found] = typed.json("access", "explain", *who, *document)
    assert (found["allowed"], found["rule"]) == (True, "care")
    [before] = typed.json("access", "explain", *who, "--patient", number, "--act", "search")
    assert before["allowed"]
    assert typed.run("access", "explain", *who, "--document", "2.25.404").exit_code == 1

    (tmp_path / "a.xml").write_bytes(etree.tostring(stated(DOCTOR, "https://sts.example")))
    [found] = typed.json("access", "explain", "--assertion", "a.xml", *document)
    assert found["rule"] == "right"
    (tmp_path / "b.xml").write_text("<a/>")
    assert typed.run("access", "explain", "--assertion", "b.xml", *document).exit_code == 1


def _register(folder: Path, letter: Any) -> None:
    database = open_database(f"sqlite:///{folder / 'data' / 'registry.db'}")
    SmallRegistry(database).registered(a_submission(letter))
    database.close()


def test_an_explanation_is_of_a_time(typed: Typed) -> None:
    number = a_patient_id().partition("^")[0]
    role = ("--role", "R8000^1.2.826.0.1285.0.2.1.104")
    typed("access", "roles", "add", *role, "--right", "search", "--begins", "2026-03-01", "--ends", "2026-04-01", *BY)
    asked = ("access", "explain", "--user", "1", *role, "--patient", number, "--act", "search", "--at")

    assert [typed.json(*asked, day)[0]["rule"] for day in ("2026-02-28", "2026-03-01", "2026-04-01")] == [
        "right", "relationship", "right",
    ]  # fmt: skip


def test_services_do_not_start_with_a_policy_that_cannot_be_used(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('name = "short"\n')
    (tmp_path / "issuers.toml").write_text("")
    more = {"ACCESS": "on", "ACCESS_POLICY": "policy.toml", "XUA": "required", "XUA_ISSUERS": "issuers.toml"}
    typed.environment |= {f"PORTOLAN_{name}": value for name, value in more.items()}

    with pytest.raises(Failure) as raised:
        _see_that_there_is_an_access_policy(SERVICES["registry"], load(typed.environment))

    assert "rules.apply: a list of other-patient" in raised.value.message


def test_a_registry_does_not_start_with_a_table_of_places_that_cannot_be_used(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "places.toml").write_text("[organisations]\nNBG = 7\n")
    more = {"ACCESS_RELATIONSHIPS_FROM_ADT": "true", "ACCESS_PLACES": "places.toml"}
    typed.environment |= {f"PORTOLAN_{name}": value for name, value in more.items()}

    with pytest.raises(Failure, match=r"places\.toml: NBG: an ODS code"):
        _see_that_there_is_an_access_policy(SERVICES["registry"], load(typed.environment))
    _see_that_there_is_an_access_policy(SERVICES["repository"], load(typed.environment))


@pytest.mark.parametrize(("name", "value"), [("access_relationships_from_adt", "true"), ("access_places", "x.toml")])
def test_a_feed_of_relationships_needs_its_table(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match="go together"):
        load({f"PORTOLAN_{name.upper()}": value})


@pytest.mark.parametrize("name", ["access_policy", "access_listed"])
def test_settings_of_access_need_access_and_access_needs_assertions(name: str) -> None:
    value = {"access_policy": "x.toml", "access_listed": "true"}[name]

    with pytest.raises(SettingsError, match=f"{name} is set, so access must be on"):
        load({f"PORTOLAN_{name.upper()}": value})
    with pytest.raises(SettingsError, match="access is on, so xua must be"):
        load({"PORTOLAN_ACCESS": "on"})


def test_a_change_is_in_the_audit_trail_and_is_not_made_where_it_cannot_be(typed: Typed) -> None:
    typed.environment |= {
        "PORTOLAN_AUDIT": "true",
        "PORTOLAN_AUDIT_REPOSITORIES": "127.0.0.1:9",
        "PORTOLAN_AUDIT_PLAIN": "true",
    }
    key = typed("access", "roles", "add", *shlex.split(EXAMPLES["roles"][0])).strip()
    typed("access", "roles", "end", key, *BY)

    spool = typed.folder / "data" / "audit"
    kept = b"".join(each.read_bytes() for each in spool.rglob("*") if each.is_file())
    assert kept.count(b'csd-code="110129"') == 2
    assert b"portolan access: one of roles ended, by the word of R. Manager" in kept

    for each in sorted(spool.rglob("*"), reverse=True):
        each.rmdir() if each.is_dir() else each.unlink()
    spool.rmdir()
    spool.write_bytes(b"in the way")
    refused = typed.run("access", "roles", "add", "--role", "R1^2.999", "--right", "read", *BY)
    assert refused.exit_code == 1
    assert "cannot be recorded, so it is not made" in refused.output
    assert "R1^2.999" not in typed("access", "roles", "list")
