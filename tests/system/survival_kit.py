"""Mixed load whose every message is written down, so that what became of it can be judged when it is over."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest
import requests
from lxml import etree

from common.ebxml.submission import read_submission
from common.model import AssociationType, DocumentEntry
from common.standard.transactions import ITI_18, ITI_43, ITI_57
from tests.factories import (
    a_document,
    a_link,
    a_new_version,
    a_patient_id,
    a_submission,
    a_uuid,
    an_update,
    submit_objects,
)
from tests.running import Running
from tests.wire import STATUS, Answer, Services, answer, envelope, mtom, mtom_provide, query_body, retrieve_body

ELSEWHERE: Final = "2.999.826.9.9"
"""A repository that is not ours: where documents are that are registered without being sent to it."""
SIMPLE: Final = "application/soap+xml; charset=UTF-8"
DEPRECATED: Final = "XDSRegistryDeprecatedDocumentError"
COME_AGAIN: Final = frozenset(
    {
        "XDSRegistryBusy",
        "XDSRepositoryBusy",
        "XDSRegistryNotAvailable",
        "XDSRepositoryError",
        "XDSRegistryError",
        "XDSRegistryOutOfResources",
        "XDSRepositoryOutOfResources",
    }
)
"""What may be said while something is broken: each of them lets the source send the same message again."""


LONG: Final = os.environ.get("PORTOLAN_SURVIVAL_LONG") == "1"
"""Whether what takes long, or is like something that is tested anyway, is wanted too."""


def of_back_ends(names: Sequence[str]) -> Sequence[str]:
    """Of two ways to keep things the one of production, where a test is slow and its logic the same on both."""
    return names if LONG else names[-1:]


def shared_out(found: Iterable[str], service: Running) -> list[str]:
    """Of the steps at which a service may be killed those that are tried on its back end.

    Every other one, so that each is tried on one of the two; all on both with PORTOLAN_SURVIVAL_LONG=1.
    """
    listed = list(found)
    return listed if LONG else listed[bool(service.environment.get("PORTOLAN_DATABASE")) :: 2]


def only_when_asked_for(name: str) -> pytest.MarkDecorator:
    """Skips what takes more than every run can afford, unless this variable, or PORTOLAN_SURVIVAL_LONG=1, is set."""
    return pytest.mark.skipif(not LONG and name not in os.environ, reason=f"{name}, or PORTOLAN_SURVIVAL_LONG=1")


def seconds_of(name: str, default: float) -> float:
    """How long something goes on: an environment variable, else what suits every day."""
    return float(os.environ.get(name, default))


@dataclass
class Letter:
    """One document as a message that can be sent again, byte for byte, and what is known of it."""

    entry: DocumentEntry
    content: bytes
    replaces: str = ""
    kind: str = ""
    data: bytes = b""
    acknowledged: bool = False
    refused: bool = False
    sent: int = 0

    @property
    def unique_id(self) -> str:
        """The document's uniqueId."""
        return self.entry.unique_id or ""

    def __post_init__(self) -> None:
        """Make the message."""
        links = [a_link(AssociationType.RPLC, self.entry, self.replaces)] if self.replaces else []
        submission = a_submission(self.entry, *links)
        self.kind, self.data = mtom_provide(submission, {self.entry.entry_uuid: self.content}, message_id=a_uuid())


def a_letter(patient: str, size: int, chance: random.Random, replaces: str = "") -> Letter:
    """A new one of a patient."""
    content = chance.randbytes(size)
    told = {"hash": hashlib.sha1(content).hexdigest(), "size": str(size)}
    return Letter(a_document(entry_uuid=a_uuid(), patient_id=patient, **told), content, replaces)


@dataclass
class Told:
    """What a request came to: an answer, or why there was none; and how long it took (seconds)."""

    answer: Answer | None
    problem: str
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether it was carried out."""
        return self.answer is not None and self.answer.registry_status == "Success"

    @property
    def codes(self) -> list[str]:
        """The errors that were told."""
        return self.answer.codes if self.answer is not None else []

    @property
    def shown(self) -> str:
        """One word or two."""
        return self.problem or ", ".join(sorted(set(self.codes))) or "Success"


def ask(call: Callable[[], requests.Response]) -> Told:
    """One request, whatever becomes of it."""
    begun = time.monotonic()
    try:
        response = call()
    except requests.RequestException:
        return Told(None, "broken connection", time.monotonic() - begun)
    took = time.monotonic() - begun
    if response.status_code == 503:
        return Told(None, "503" if "Retry-After" in response.headers else "503 without Retry-After", took)
    try:
        told = answer(response)
    except (etree.XMLSyntaxError, AssertionError, IndexError):
        return Told(None, f"HTTP {response.status_code}", took)
    return Told(told, told.fault if told.registry_status == "Fault" else "", took)


@dataclass
class Book:
    """Everything that was sent."""

    letters: dict[str, Letter] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """By entryUUID: the version that an acknowledged update made."""
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    successes: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, doing: str, told: Told) -> None:
        """Count an outcome."""
        with self.lock:
            self.counts[f"{doing}: {told.shown}"] += 1
            self.slowest = max(self.slowest, told.seconds)
            if told.is_success:
                self.successes.append(time.monotonic())

    def object_to(self, what: str) -> None:
        """Write down what should not have been."""
        with self.lock:
            self.wrong.append(what)

    def gap(self) -> float:
        """The longest time (seconds) in which nothing succeeded."""
        times = sorted(self.successes)
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)


class Source:
    """One sender with patients and connections of its own: submits, replaces, updates, asks and fetches."""

    def __init__(self, services: Services, book: Book, seed: int, *, forgets: float = 0.3) -> None:
        """``forgets`` is the share of its messages without a clear outcome that it does not send again."""
        self._services, self._book = services.apart(), book
        self._random = random.Random(seed)
        self._forgets = forgets
        self._patients = [a_patient_id() for _ in range(4)]
        self._own: list[Letter] = []

    def run(self, work: Work) -> None:
        """One thing after the other until a time."""
        doings = [self.submit, self.submit, self.replace, self.update, self.find, self.fetch]
        while time.monotonic() < work.until:
            try:
                self._random.choice(doings)()
            except Exception as error:
                self._book.object_to(f"{type(error).__name__}: {error}")

    def submit(self) -> None:
        """A new document."""
        patient = self._random.choice(self._patients)
        self._provide("ITI-41", a_letter(patient, self._random.choice((300, 5_000, 60_000)), self._random))

    def replace(self) -> None:
        """A successor of a document of its own, one that surely is there and current."""
        old = next((each for each in self._own if each.acknowledged and not each.refused), None)
        if old is None:
            return self.submit()
        self._own.remove(old)
        letter = a_letter(old.entry.patient_id or "", 800, self._random, old.entry.entry_uuid)
        return self._provide("RPLC", letter)

    def _provide(self, doing: str, letter: Letter) -> None:
        with self._book.lock:
            self._book.letters[letter.unique_id] = letter
        told = self._sent(doing, letter)
        for pause in (0.2, 0.5, 1, 2, 4):
            if told.is_success or letter.refused or self._random.random() < self._forgets:
                break
            time.sleep(pause)
            told = self._sent(f"{doing} again", letter)
        if letter.acknowledged:
            self._own.append(letter)

    def _sent(self, doing: str, letter: Letter) -> Told:
        letter.sent += 1
        told = ask(lambda: self._services.post(self._services.repository, letter.data, letter.kind))
        self._book.note(doing, told)
        if told.is_success:
            letter.acknowledged = True
        elif told.codes and not set(told.codes) <= COME_AGAIN:
            letter.refused = True
            self._book.object_to(f"{doing} was refused: {told.answer.contexts if told.answer else ''}")
        return told

    def update(self) -> None:
        """A new version of the metadata (ITI-57) of a document of its own that was not updated yet."""
        known = [each for each in self._own if each.acknowledged and each.entry.entry_uuid not in self._book.versions]
        if not known:
            return
        letter = self._random.choice(known)
        self._own.remove(letter)  # it is not replaced any more: its entryUUID names the first version for ever
        body = submit_objects(an_update(a_new_version(letter.entry, repository_unique_id=self._services.repository_id)))
        message = envelope(ITI_57, body, message_id=a_uuid())
        told = self._registry("ITI-57", message)
        for pause in (0.2, 0.5, 1, 2, 4):
            if told.is_success:
                break
            time.sleep(pause)
            told = self._registry("ITI-57 again", message)
        with self._book.lock:
            self._book.versions[letter.entry.entry_uuid] = 2 if told.is_success else 0
        if told.codes and not set(told.codes) <= COME_AGAIN:
            self._book.object_to(f"an update was refused: {told.answer.contexts if told.answer else ''}")

    def _registry(self, doing: str, message: bytes) -> Told:
        told = ask(lambda: self._services.post(self._services.registry, message, SIMPLE))
        self._book.note(doing, told)
        return told

    def find(self) -> None:
        """All that was acknowledged before and is current is found, whole or with an error: never less."""
        patient = self._random.choice(self._patients)
        before = {each.unique_id for each in self._own if each.entry.patient_id == patient and each.acknowledged}
        asked = envelope(ITI_18, _find(patient))
        told = self._registry("ITI-18", asked)
        if not told.is_success or told.answer is None:
            return
        found = {each.unique_id or "" for each in read_submission(told.answer.body).entries}
        if not before <= found:
            self._book.object_to(f"{len(before - found)} acknowledged documents were not found")
        if not found <= self._book.letters.keys():
            self._book.object_to("something was found that was not submitted")

    def fetch(self) -> None:
        """A document of its own, byte for byte."""
        if not self._own:
            return
        letter = self._random.choice(self._own)
        told = ask(lambda: retrieval(self._services, letter.unique_id))
        self._book.note("ITI-43", told)
        if told.is_success and told.answer is not None:
            if told.answer.documents() != {letter.unique_id: letter.content}:
                self._book.object_to("a document came with other bytes")
        elif "XDSDocumentUniqueIdError" in told.codes:
            self._book.object_to("an acknowledged document was not known")


def _find(patient: str) -> bytes:
    slots = [
        ("$XDSDocumentEntryPatientId", f"'{patient}'"),
        ("$XDSDocumentEntryStatus", f"('{STATUS}Approved')"),
    ]
    return query_body("FindDocuments", slots, leaf=True)


def retrieval(services: Services, unique_id: str) -> requests.Response:
    """ITI-43 of one document."""
    kind, data = mtom(envelope(ITI_43, retrieve_body([unique_id], services.repository_id)), {})
    return services.post(services.repository, data, kind)


@dataclass
class Work:
    """A time until which sources are at work; it can be brought forward."""

    until: float

    def end(self) -> None:
        """Let everybody finish what they are doing."""
        self.until = 0.0


@contextmanager
def load(services: Services, book: Book, *, threads: int, seconds: float, seed: int = 1) -> Iterator[Work]:
    """Sources that are at work while the context lasts, for so long at most."""
    work = Work(time.monotonic() + seconds)
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(Source(services, book, seed + number).run, work) for number in range(threads)]
        try:
            yield work
        except BaseException:
            work.end()
            raise
        for each in running:
            each.result()


WITHOUT_FEEDS: Final = {"REGISTRY_MLLP_BIND": "off"}
"""Nothing here listens to feeds, and a process less is started."""
