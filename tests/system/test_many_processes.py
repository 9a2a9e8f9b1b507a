"""Three Registries and three Repositories on one database and one bucket, behind a balancer, all used at once.

PORTOLAN_TEST_SECONDS says for how long; TEST_BALANCER=plain does without haproxy.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from sqlalchemy import Row, create_engine, func, select

from common.ebxml.submission import read_submission
from common.model import AssociationType, DocumentEntry
from registry.store.tables import association, entry, submission_set
from tests.factories import a_document, a_link, a_patient_id, a_submission, a_uuid
from tests.running import ROOT, Pair, a_pair, back_end
from tests.servers.balancer import Balancer, PlainBalancer, start_balancer
from tests.wire import Answer, Services, answer, mtom_provide

pytestmark = pytest.mark.system

SECONDS = float(os.environ.get("PORTOLAN_TEST_SECONDS", "10"))
THREADS = 6
HOT_CHAINS = 3
DEPRECATED = "XDSRegistryDeprecatedDocumentError"
BUSY = {"XDSRegistryBusy", "XDSRepositoryBusy"}


@dataclass
class Sent:
    """What was sent, and what came of it."""

    contents: dict[str, bytes] = field(default_factory=dict)
    acknowledged: dict[str, DocumentEntry] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    replaced: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    current: dict[int, DocumentEntry] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Many:
    """The services, and where they are reached."""

    pairs: list[Pair]
    services: Services
    settings: dict[str, str]
    balancer: Balancer

    def loads(self) -> list[float]:
        """How many requests each process has answered."""
        each = [service for pair in self.pairs for service in (pair.registry, pair.repository)]
        return [_answered(service.port) for service in each]

    def check(self) -> dict[str, object]:
        """What `portolan check --deep` says."""
        command = [sys.executable, "-m", "console", "check", "--deep", "--json"]
        environment = self.pairs[0].registry.environment
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (done.stdout[-3000:], done.stderr)
        told: dict[str, object] = json.loads(done.stdout)
        return told


def _answered(port: int) -> float:
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    lines = [line for line in text.splitlines() if line.startswith("portolan_requests_total")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


@pytest.fixture
def many(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Many]:
    """All six, started; stopped at the end."""
    settings = back_end("postgresql and s3", request) | {"LOG_LEVEL": "warning"}
    pairs = [a_pair(tmp_path / str(number), settings) for number in range(3)]
    groups = {
        "registry": [pair.registry.port for pair in pairs],
        "repository": [pair.repository.port for pair in pairs],
    }
    plain = os.environ.get("TEST_BALANCER") == "plain"
    balancer: Balancer = PlainBalancer(groups) if plain else start_balancer(groups)
    urls = {name: f"http://127.0.0.1:{port}/{name}" for name, port in balancer.ports.items()}
    for pair in pairs:
        for running in (pair.registry, pair.repository):
            running.environment |= {f"PORTOLAN_{name.upper()}_URL": url for name, url in urls.items()}
    try:
        for pair in pairs:
            pair.start()
        yield Many(pairs, Services(urls["registry"], urls["repository"]), settings, balancer)
    finally:
        for pair in pairs:
            pair.stop()
        balancer.stop()


class Source:
    """One sender: submits, replaces, repeats itself and asks, over connections of its own."""

    def __init__(self, services: Services, sent: Sent, patients: Sequence[str], seed: int) -> None:
        self._services, self._sent, self._patients = services.apart(), sent, patients
        self._other = services.apart()
        self._random = random.Random(seed)

    def run(self, until: float) -> None:
        """Do one thing after the other until a time."""
        doings: list[Callable[[], None]] = [self.submit, self.repeat, self.ask, *[self.replace] * 3]
        while time.monotonic() < until:
            self._random.choice(doings)()

    def a_letter(self, patient: str) -> tuple[DocumentEntry, bytes]:
        """A document of some size with its entry, written down before it is sent."""
        size = self._random.choice((300, 5_000, 200_000))
        content = self._random.randbytes(size)
        letter = a_document(
            entry_uuid=a_uuid(), patient_id=patient, hash=hashlib.sha1(content).hexdigest(), size=str(size)
        )
        with self._sent.lock:
            self._sent.contents[letter.unique_id or ""] = content
        return letter, content

    def submit(self) -> None:
        """A new document, which has to be taken."""
        letter, content = self.a_letter(self._random.choice(self._patients))
        told = self._services.provide(a_submission(letter), {letter.entry_uuid: content})
        self.note("submitted", letter, told, allowed=BUSY)

    def repeat(self) -> None:
        """One message sent twice at once: both are told of success, and it is registered once."""
        letter, content = self.a_letter(self._random.choice(self._patients))
        kind, data = mtom_provide(a_submission(letter), {letter.entry_uuid: content}, message_id=a_uuid())
        with ThreadPoolExecutor(2) as threads:
            both = list(
                threads.map(
                    lambda services: answer(services.post(services.repository, data, kind)),
                    (self._services, self._other),
                )
            )
        # One that was too busy may be sent again: it is the same message still.
        again = [each for each in both if BUSY & set(each.codes)]
        both = [each for each in both if each not in again]
        both += [answer(self._services.post(self._services.repository, data, kind)) for _ in again]
        for told in both:
            self.note("repeated", letter, told, allowed=set())

    def replace(self) -> None:
        """A successor of a document that others want to replace at the same moment."""
        chain = self._random.randrange(HOT_CHAINS)
        with self._sent.lock:
            old = self._sent.current[chain]
        letter, content = self.a_letter(old.patient_id or "")
        link = a_link(AssociationType.RPLC, letter, old.entry_uuid)
        told = self._services.provide(a_submission(letter, link), {letter.entry_uuid: content})
        if self.note("replaced", letter, told, allowed=BUSY | {DEPRECATED}):
            with self._sent.lock:
                self._sent.replaced[old.entry_uuid].append(letter.entry_uuid)
                self._sent.current[chain] = letter

    def ask(self) -> None:
        """A patient's documents: all that were acknowledged before are there, and each one found can be had whole."""
        patient = self._random.choice(self._patients)
        with self._sent.lock:
            before = {name for name, kept in self._sent.acknowledged.items() if kept.patient_id == patient}
        found = self._services.find(patient, leaf=True)
        names = {each.unique_id or "" for each in _entries(found)}
        assert before <= names, "an acknowledged document was not found"
        if names:
            name = self._random.choice(sorted(names))
            held = self._services.retrieve(name)
            assert held.registry_status == "Success", held.contexts
            assert held.documents()[name] == self._sent.contents[name]
        with self._sent.lock:
            self._sent.counts["asked"] += 1

    def note(self, doing: str, letter: DocumentEntry, told: Answer, *, allowed: set[str]) -> bool:
        """Write down what a document came to; whether it was taken."""
        taken = told.registry_status == "Success"
        assert taken or (set(told.codes) <= allowed and told.codes), (doing, told.contexts or told.fault)
        with self._sent.lock:
            self._sent.counts[doing if taken else f"{doing}, refused: {', '.join(told.codes)}"] += 1
            if taken:
                self._sent.acknowledged[letter.unique_id or ""] = letter
            else:
                self._sent.refused.add(letter.unique_id or "")
        return taken


def _entries(found: Answer) -> list[DocumentEntry]:
    assert found.registry_status == "Success", found.contexts
    return read_submission(found.body).entries


def used(many: Many) -> Sent:
    """Everybody at once for a while; what was sent."""
    sent = Sent()
    # The hot chains belong to patients of their own, so that everybody else's documents stay current.
    beginnings = Source(many.services, sent, [], 0)
    for chain in range(HOT_CHAINS):
        letter, content = beginnings.a_letter(a_patient_id())
        told = many.services.provide(a_submission(letter), {letter.entry_uuid: content})
        beginnings.note("submitted", letter, told, allowed=set())
        sent.current[chain] = letter
    patients = [a_patient_id() for _ in range(8)]
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(THREADS) as threads:
        running = [
            threads.submit(Source(many.services, sent, patients, number).run, until) for number in range(THREADS)
        ]
        for each in running:
            each.result()
    return sent


def test_r3_many_processes_on_the_same_stores_keep_every_promise(
    many: Many, record_property: Callable[[str, object], None]
) -> None:
    sent = used(many)

    loads = many.loads()
    print(f"\nbehind {many.balancer.name}: {dict(sent.counts)}; requests by process: {loads}")
    record_property("balancer", many.balancer.name)
    assert all(loads), "a process got nothing to do"
    assert sent.counts["replaced"] > HOT_CHAINS
    assert sent.counts[f"replaced, refused: {DEPRECATED}"] > 0
    everything_acknowledged_is_found_and_equal(many, sent)
    only_that_is_there(many, sent)
    every_replaced_document_has_one_current_successor(many, sent)
    assert many.check()["summary"] == {"differences": 0, "kinds": {}}


def everything_acknowledged_is_found_and_equal(many: Many, sent: Sent) -> None:
    """By uniqueId, and byte for byte."""

    def held(name: str) -> None:
        services = many.services.apart()
        found = services.query("GetDocuments", {"$XDSDocumentEntryUniqueId": f"('{name}')"})
        assert found.ids() == [sent.acknowledged[name].entry_uuid]
        assert services.retrieve(name).documents()[name] == sent.contents[name]

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(held, sent.acknowledged))


def only_that_is_there(many: Many, sent: Sent) -> None:
    """One entry, one SubmissionSet and the Associations of each acknowledged document, and nothing of a refused one."""
    rows = _rows(many)
    assert sorted(row.unique_id for row in rows) == sorted(sent.acknowledged)
    refused = sorted(sent.refused)[:50]
    for name in refused:
        assert many.services.retrieve(name).codes == ["XDSDocumentUniqueIdError"]
    with create_engine(many.settings["DATABASE"]).connect() as connection:
        sets = connection.scalar(select(func.count()).select_from(submission_set))
        links = connection.scalar(select(func.count()).select_from(association))
    connection.engine.dispose()
    assert sets == len(sent.acknowledged)
    assert links == len(sent.acknowledged) + sum(map(len, sent.replaced.values()))


def every_replaced_document_has_one_current_successor(many: Many, sent: Sent) -> None:
    """Each was replaced once; all of a chain but the last is Deprecated, and everything else Approved."""
    assert all(len(successors) == 1 for successors in sent.replaced.values())
    approved = {row.entry_uuid for row in _rows(many) if row.availability_status.endswith("Approved")}
    known = {kept.entry_uuid for kept in sent.acknowledged.values()}
    assert approved == known - sent.replaced.keys()
    for last in sent.current.values():
        [found] = _entries(many.services.find(last.patient_id or "", leaf=True))
        assert found.entry_uuid == last.entry_uuid


def _rows(many: Many) -> Sequence[Row[tuple[str, str, str]]]:
    engine = create_engine(many.settings["DATABASE"])
    with engine.connect() as connection:
        found = connection.execute(select(entry.c.entry_uuid, entry.c.unique_id, entry.c.availability_status)).all()
    engine.dispose()
    return found
