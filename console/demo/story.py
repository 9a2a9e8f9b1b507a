"""What happens in the demonstration: letters are submitted, found by NHS Number, and read back."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from common.client import DocumentConsumer, DocumentSource, NewDocument
from common.model import DocumentEntry
from console.client import registered
from console.failure import Failure
from console.letters.hl7 import xon
from console.letters.model import ODS, Term, dtm
from console.letters.samples import SampleLetter
from console.metadata.entry import Domain, build
from console.metadata.values import Value, Values, a_code

T = TypeVar("T")


@dataclass
class Told:
    """What became of one letter; times in milliseconds."""

    letter: SampleLetter
    submit_ms: float | None = None
    fetch_ms: float = 0.0
    entry: DocumentEntry | None = None
    sha1_ok: bool = False

    @property
    def unique_id(self) -> str:
        """Its uniqueId."""
        return self.letter.letter.unique_id


@dataclass
class Story:
    """All letters, and how long it took to find those of each patient."""

    letters: list[Told]
    find_ms: dict[str, float] = field(default_factory=dict)

    @property
    def new(self) -> list[Told]:
        """The letters that this run has submitted."""
        return [told for told in self.letters if told.submit_ms is not None]


def happen(
    letters: list[SampleLetter], source: DocumentSource, consumer: DocumentConsumer, domain: Domain
) -> Iterator[Story]:
    """Three steps; the story so far after each. Letters of an earlier run are left as they are."""
    story = Story([Told(letter) for letter in letters])
    there = registered(consumer, [(told.letter.letter.patient.patient_id, told.unique_id) for told in story.letters])
    for told in story.letters:
        if told.unique_id not in there:
            told.submit_ms = _timed(partial(_submit, told, source, domain))[1]
    yield story
    for patient in {told.letter.letter.patient.patient_id: None for told in story.letters}:
        found, story.find_ms[patient] = _timed(partial(consumer.find, patient))
        by_id = {entry.unique_id: entry for entry in found}
        for told in story.letters:
            told.entry = by_id.get(told.unique_id, told.entry)
    yield story
    for told in story.letters:
        told.sha1_ok, told.fetch_ms = _timed(partial(_came_back_whole, told, consumer))
    yield story


def _timed(act: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = act()
    return result, (time.perf_counter() - began) * 1000


def _submit(told: Told, source: DocumentSource, domain: Domain) -> None:
    sha256 = hashlib.sha256(told.letter.content).hexdigest()
    entry, submission_set = build(values_of(told.letter), domain, sha256)
    document = NewDocument(told.letter.content, told.letter.mime_type, entry)
    source.submit([document], submission_set=submission_set)


def _came_back_whole(told: Told, consumer: DocumentConsumer) -> bool:
    """Whether the bytes are those of the letter; the client has held them against the entry's hash as well."""
    if told.entry is None:
        raise Failure(f"{told.letter.name} was registered, and was not found again.")
    with consumer.open(told.entry) as stream:
        content = b"".join(stream)
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return sha1 == told.entry.hash and content == told.letter.content


def values_of(sample: SampleLetter) -> Values:
    """The metadata of a sample letter."""
    letter = sample.letter
    single: dict[str, Value] = {
        "patient": letter.patient.patient_id,
        "title": letter.title,
        "mime_type": sample.mime_type,
        "class_code": _code(sample.class_code),
        "type_code": _code(letter.type),
        "format_code": _code(sample.format_code),
        "practice_setting_code": _code(letter.setting),
        "healthcare_facility_type_code": _code(sample.facility_code),
        "confidentiality_code": _code(sample.confidentiality),
        "language_code": sample.language,
        "creation_time": dtm(letter.written),
        "service_start_time": dtm(letter.began),
        "service_stop_time": dtm(letter.ended),
        "author_person": letter.author.xcn,
        "author_institution": xon(letter.hospital.name, letter.hospital.ods, ODS),
        "author_role": letter.author.role,
        "source_patient_id": letter.patient.source_patient_id,
        "unique_id": letter.unique_id,
    }
    many: dict[str, tuple[Value, ...]] = {
        "event_code": tuple(map(_code, letter.events)),
        "source_patient_info": letter.patient.source_patient_info,
    }
    return {key: (value,) for key, value in single.items()} | many


def _code(term: Term) -> Value:
    return a_code(term.code, term.scheme, term.display)


@contextmanager
def closing_both(source: DocumentSource, consumer: DocumentConsumer) -> Iterator[None]:
    """Close the connections at the end."""
    with source, consumer:
        yield
