"""Holds, removals and purges by command, as an administrator uses them, on both databases and both kinds of storage."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from common.db import Database, open_database
from common.model import DocumentEntry
from common.settings import Settings, load
from console import client
from console.purging import planning
from console.purging.running import Pace, Run
from registry.retention import SHIPPED
from registry.retention.policy import read_policy
from registry.store import purging
from tests.factories import HAS_MEMBER, a_folder, a_link, a_patient_id, a_submission, a_uuid
from tests.running import ROOT, Pair, a_pair, back_end
from tests.service.conftest import BACK_ENDS
from tests.service.test_iti41_provide import a_letter
from tests.service.test_iti42_register import RPLC
from tests.system.survival_kit import of_back_ends
from tests.wire import Services

OLD = {
    "creation_time": "20010301",
    "service_start_time": "20010301",
    "service_stop_time": "20010301",
    "source_patient_info": ("PID-7|19500601",),
}


@dataclass
class Console:
    """A pair of services, and commands about them."""

    pair: Pair

    @property
    def services(self) -> Services:
        return self.pair.services

    def run(self, *arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "console", *arguments],
            env={**self.pair.registry.environment, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def plan(self, **environment: str) -> str:
        told = self.run("purge", "plan", "--by", "A. Planner", **environment).stderr
        return told.split("The plan is ")[1].split(",")[0]

    @property
    def settings(self) -> Settings:
        return load(self.pair.registry.environment)

    @contextmanager
    def database(self) -> Iterator[Database]:
        opened = open_database(self.settings.database_url)
        try:
            yield opened
        finally:
            opened.close()

    def confirmed_plan(self) -> str:
        """As the two commands make it."""
        with self.database() as opened:
            policy, today = read_policy(SHIPPED.read_text(encoding="utf-8")), datetime.now(UTC).date()
            going = [each for each in planning.judged(opened, policy, today) if each.verdict.may_go]
            plan, items = planning.new_plan(policy, today, "A. Planner", going)
            with opened.write() as work:
                purging.keep(work, plan, items)
                work.commit()
            planning.confirm(opened, plan.plan_id, "B. Confirmer")
        return plan.plan_id

    def take_up(self, plan_id: str) -> None:
        """As the command runs it."""
        with self.database() as opened, client.administrator(self.settings) as administrator:
            with opened.read() as work:
                plan = planning.known_plan(work, plan_id)
            Run(opened, administrator, plan, 50, Pace(0), lambda _: None).all()

    def provide(self, *items: DocumentEntry, **differs: Any) -> DocumentEntry:
        """One old letter of a patient."""
        entry = a_letter(entry_uuid=a_uuid(), **{**OLD, **differs})
        submission = a_submission(entry)
        answer = self.services.provide(submission, {entry.entry_uuid: (entry.unique_id or "").encode()})
        assert answer.registry_status == "Success", answer.contexts
        return entry

    def is_there(self, entry: DocumentEntry) -> bool:
        """Whether metadata and bytes are there; one without the other is neither."""
        registered = entry.entry_uuid in self.services.everything(entry.patient_id or "")
        retrieved = self.services.retrieve(entry.unique_id or "").registry_status == "Success"
        assert registered == retrieved
        return registered


@pytest.fixture(scope="module", params=of_back_ends(BACK_ENDS))
def console(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    pair = a_pair(tmp_path_factory.mktemp("purge"), back_end(request.param, request))
    pair.start()
    yield Console(pair)
    pair.stop()


def test_a_held_document_is_not_removed_by_anybody_until_the_hold_is_lifted(console: Console) -> None:
    entry, other = console.provide(), console.provide()
    name, services = entry.unique_id or "", console.services
    [hold] = console.run("hold", "place", name, "--reason", "A case", "--by", "R. Manager").stdout.split()
    ids = services.everything(entry.patient_id or "")

    metadata, document = services.remove(*ids), services.remove_documents(name, other.unique_id or "")

    assert set(metadata.codes) == {"LocalPolicyRestrictionError"}
    assert hold in metadata.contexts[0]
    assert (document.registry_status, document.codes) == ("PartialSuccess", ["XDSRemoveDocumentsError"])
    assert "legal hold" in document.contexts[0]
    assert console.is_there(entry)
    told = console.run("remove", name, "--reason", "r", "--by", "b", "--yes", code=1).stderr
    assert "LocalPolicyRestrictionError" in told

    assert [each["hold_id"] for each in console.json("hold", "list") if each["unique_id"] == name] == [hold]
    console.run("hold", "lift", hold, "--reason", "Closed", "--by", "R. Manager")
    console.run("hold", "lift", hold, "--reason", "Closed", "--by", "R. Manager", code=1)
    assert [each for each in console.json("hold", "list") if each["hold_id"] == hold] == []
    console.run("remove", name, "--reason", "Court order", "--by", "R. Manager", "--yes")
    assert not console.is_there(entry)
    [evidence] = json.loads(console.run("removals", "show", name).stdout)
    assert (evidence["removed_by"], evidence["reason"], evidence["kind"]) == (
        "R. Manager", "Court order", "DocumentEntry",
    )  # fmt: skip
    assert console.services.remove_documents(other.unique_id or "").codes == ["XDSDocumentUniqueIdError"]
    console.run("remove", other.unique_id or "", "--reason", "r", "--by", "b", "--yes", "--metadata-only")


def test_a_hold_on_a_patient_holds_what_comes_later_too(console: Console) -> None:
    patient = a_patient_id()
    console.run("hold", "place", "--patient", patient.split("^")[0], "--reason", "An inquiry", "--by", "R. Manager")
    entry = console.provide(patient_id=patient)

    assert set(console.services.remove(*console.services.everything(patient)).codes) == {"LocalPolicyRestrictionError"}
    assert console.services.remove_documents(entry.unique_id or "").codes == ["XDSRemoveDocumentsError"]


def test_a_hold_between_the_two_removals_still_stops_the_second(console: Console) -> None:
    entry = console.provide()
    assert console.services.remove(*console.services.everything(entry.patient_id or "")).registry_status == "Success"
    number = (entry.patient_id or "").split("^")[0]
    console.run("hold", "place", "--patient", number, "--reason", "An inquiry", "--by", "R. Manager")

    assert console.services.remove_documents(entry.unique_id or "").codes == ["XDSRemoveDocumentsError"]
    console.provide()  # a database that knows no document is not taken for the right one
    for _ in range(2):
        found = {each["id"]: each for each in console.json("check", "--repair")["findings"]}
        assert found[entry.unique_id]["kind"] == "bytes-unregistered"
        assert not found[entry.unique_id]["repaired"]


def test_check_tells_of_an_entry_whose_document_was_removed(console: Console) -> None:
    entry = console.provide()
    assert console.services.remove_documents(entry.unique_id or "").registry_status == "Success"

    told = console.run("check", "--json", code=1)
    [found] = [each for each in json.loads(told.stdout)["findings"] if each["id"] == entry.unique_id]

    assert found["kind"] == "entry-of-removed"
    console.run("remove", entry.unique_id or "", "--reason", "r", "--by", "b", "--yes", "--metadata-only")
    assert console.services.everything(entry.patient_id or "") == []


def test_unknown_things_are_not_held_and_not_removed(console: Console) -> None:
    console.run("hold", "place", "1.2.3.4", "--reason", "r", "--by", "b", code=1)
    console.run("hold", "place", "--reason", "r", "--by", "b", code=2)
    console.run("remove", "1.2.3.4", "--reason", "r", "--by", "b", "--yes", code=1)
    console.run("removals", "show", "1.2.3.4", code=1)
    console.run("purge", "show", "no-such-plan", code=1)


def test_a_document_is_removed_with_its_history_folders_and_submission_sets(console: Console) -> None:
    services, patient = console.services, a_patient_id()
    first = console.provide(patient_id=patient)
    second, folder = a_letter(entry_uuid=a_uuid(), patient_id=patient), a_folder(entry_uuid=a_uuid())
    folder.patient_id = patient
    submission = a_submission(
        second, folder, a_link(RPLC, second, first.entry_uuid), a_link(HAS_MEMBER, folder, second)
    )
    assert services.provide(submission, {second.entry_uuid: b"second"}).registry_status == "Success"

    console.run("remove", second.unique_id or "", "--reason", "r", "--by", "b", "--yes")

    assert services.everything(patient) != []
    assert console.is_there(first)
    assert services.query("GetFolders", {"$XDSFolderEntryUUID": f"('{folder.entry_uuid}')"}).ids() == []
    console.run("remove", first.unique_id or "", "--reason", "r", "--by", "b", "--yes")
    assert services.everything(patient) == []


def test_a_purge_takes_what_two_people_agreed_on_and_leaves_evidence(console: Console) -> None:
    old, held, changed, young = (console.provide() for _ in range(4))
    recent = console.provide(patient_id=young.patient_id, **dict.fromkeys(list(OLD)[:3], "20260101"))
    plan = console.plan()
    console.run("purge", "run", plan, code=1)
    console.run("purge", "confirm", plan, "--by", " a.PLANNER", code=1)
    console.run("hold", "place", held.unique_id or "", "--reason", "r", "--by", "b")
    new = a_letter(entry_uuid=a_uuid(), patient_id=changed.patient_id)
    replacement = a_submission(new, a_link(RPLC, new, changed.entry_uuid))
    assert console.services.provide(replacement, {new.entry_uuid: b"new"}).registry_status == "Success"

    console.run("purge", "confirm", plan, "--by", "B. Confirmer")
    console.run("purge", "confirm", plan, "--by", "C. Confirmer", code=1)
    console.run("purge", "run", plan, "--rate", "0")

    assert not console.is_there(old)
    assert all(console.is_there(each) for each in (held, changed, young, recent))
    shown = list(csv.DictReader(io.StringIO(console.run("purge", "show", plan, "--csv").stdout)))
    states = {row["unique_id"]: (row["state"], row["detail"]) for row in shown}
    assert states[old.unique_id or ""][0] == "removed"
    assert "legal hold" in states[held.unique_id or ""][1]
    assert states[changed.unique_id or ""] == ("excluded", "its metadata changed since it was planned")
    assert (young.unique_id or "") not in states
    [evidence] = json.loads(console.run("removals", "show", old.unique_id or "").stdout)
    assert evidence["removed_by"] == "B. Confirmer"
    assert plan in evidence["reason"]
    console.run("purge", "run", plan)
    assert plan in [each["plan_id"] for each in console.json("purge", "plans") if each["finished_at"]]
    console.run("check")


@pytest.mark.slow
def test_a_purge_that_is_killed_at_any_step_is_taken_up(console: Console, tmp_path: Any) -> None:
    trace = tmp_path / "trace"
    console.take_up(console.confirmed_plan())  # what other tests have left: each step below is met by one document
    console.provide()
    plan = console.plan()
    console.run("purge", "confirm", plan, "--by", "B. Confirmer")
    console.run("purge", "run", plan, "--rate", "0", PORTOLAN_FAULT_TRACE=str(trace))
    met = trace.read_text().split()
    assert {"purge.begun", "purge.unregistered", "purge.removed", "db.committed"} <= set(met)
    steps = sorted({f"{name}:{met[: at + 1].count(name)}" for at, name in enumerate(met)})

    for step in steps:
        entry = console.provide()
        plan = console.confirmed_plan()
        console.run("purge", "run", plan, "--rate", "0", code=-9, PORTOLAN_FAULT=f"{step}=kill")
        console.take_up(plan)

        assert not console.is_there(entry), step
        with console.database() as opened, opened.read() as work:
            [item] = [each for each in purging.items(work, plan) if each.unique_id == entry.unique_id]
        assert item.state == "removed", step


def test_what_cannot_be_removed_now_is_taken_up_later(console: Console) -> None:
    entry = console.provide()
    plan = console.plan()
    console.run("purge", "confirm", plan, "--by", "B. Confirmer")
    away = {"PORTOLAN_REPOSITORY_URL": "http://127.0.0.1:9/repository", "PORTOLAN_CONNECT_TIMEOUT": "1s"}
    console.run("purge", "run", plan, code=1, **away)
    assert console.services.retrieve(entry.unique_id or "").registry_status == "Success"
    console.run("purge", "run", plan)
    assert not console.is_there(entry)


def test_deaths_are_told_by_file_or_refused_as_a_whole(console: Console, tmp_path: Any) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    number = a_patient_id().split("^")[0]
    good.write_text(f"nhs_number,died_on\n{number},2001-02-03\n")
    bad.write_text(f"nhs_number,died_on\n{number},soon\n123,2001-02-03\n")
    console.run("retention", "deaths", str(good), "--by", "b")
    told = console.run("retention", "deaths", str(bad), "--by", "b", code=1).stderr
    assert "line 2: died_on" in told
    assert "line 3" in told
    assert number not in told
    console.run("retention", "check")
    assert console.json("retention", "check")["rules"]
    assert os.sep not in console.run("removals", "list", "--most", "1").stdout[:1]
