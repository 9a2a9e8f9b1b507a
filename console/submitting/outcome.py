"""Submits letters one by one, and says what became of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from common.client import NewDocument, Submitted
from common.client.errors import ClientError, NoAnswer, NotReached
from common.client.message_ids import new_message_id
from common.model import DocumentEntry, SubmissionSet
from console.failure import sentences
from console.submitting.files import Letter

_PAUSES: Final = (0.5, 1.0, 2.0)


class State(StrEnum):
    """What became of a file."""

    SUBMITTED = "submitted"
    THERE = "already there"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one file, and why where that needs saying."""

    file: Path
    state: State
    unique_id: str = ""
    why: tuple[str, ...] = ()


class Source(Protocol):
    """What is needed of a DocumentSource."""

    def submit(
        self,
        documents: Sequence[NewDocument],
        *,
        submission_set: SubmissionSet | None = None,
        replaces: Mapping[str, str] | None = None,
        message_id: str | None = None,
    ) -> Submitted:
        """Submit documents."""
        ...


class Unreachable(Exception):  # noqa: N818 - what it says is that going on is of no use
    """The service cannot be reached, whatever the file."""


def already_there(letter: Letter, registered: Mapping[str, DocumentEntry]) -> Outcome | None:
    """The outcome for a letter whose uniqueId is registered: no harm when it is the same content."""
    entry = registered.get(letter.unique_id)
    if entry is None:
        return None
    if entry.patient_id != letter.entry.patient_id:
        why = (
            "Its uniqueId is registered for another patient, and for this one nothing was submitted.",
            "See that the patient is right; to file it for both, give it an id of its own (--unique-id).",
        )
        return Outcome(letter.file, State.FAILED, letter.unique_id, why)
    if (entry.hash or "").lower() == letter.sha1:
        replaced = ("it has been replaced or withdrawn since",) if entry.is_deprecated else ()
        return Outcome(letter.file, State.THERE, letter.unique_id, replaced)
    why = (
        "Another content is registered under its uniqueId.",
        "Give the new version an id of its own (--unique-id), and say what it replaces (--replaces).",
    )
    return Outcome(letter.file, State.FAILED, letter.unique_id, why)


def submitted(
    letter: Letter, source: Source, replaces: str | None, sleep: Callable[[float], None] = time.sleep
) -> Outcome:
    """Submit one letter; where the answer is lost the same message is sent again, which registers it once."""
    message_id = new_message_id()
    document = NewDocument(letter.file, letter.entry.mime_type, letter.entry)
    for pause in (*_PAUSES, None):
        try:
            source.submit(
                [document],
                submission_set=letter.submission_set,
                replaces={letter.unique_id: replaces} if replaces else {},
                message_id=message_id,
            )
            return Outcome(letter.file, State.SUBMITTED, letter.unique_id)
        except (NotReached, NoAnswer) as error:
            if pause is not None:
                sleep(pause)
            elif isinstance(error, NotReached):
                raise Unreachable from error
            else:
                return Outcome(letter.file, State.FAILED, letter.unique_id, sentences(error))
        except (ClientError, ValueError) as error:
            why = sentences(error) if isinstance(error, ClientError) else (f"{error}.",)
            return Outcome(letter.file, State.FAILED, letter.unique_id, why)
    raise AssertionError


def all_submitted(
    letters: Sequence[Letter], source: Source, registered: Mapping[str, DocumentEntry], replaces: str | None
) -> Iterator[Outcome]:
    """Each letter's outcome; once the service cannot be reached, nothing more is tried."""
    reachable = True
    seen: set[tuple[str, str | None]] = set()
    for letter in letters:
        found = already_there(letter, registered)
        name = letter.unique_id, letter.entry.patient_id
        if found is None and name in seen:
            found = Outcome(letter.file, State.THERE, letter.unique_id, ("the same as another of these files",))
        seen.add(name)
        if found is None and not reachable:
            found = Outcome(letter.file, State.FAILED, letter.unique_id, ("Not tried.",))
        if found is None:
            try:
                found = submitted(letter, source, replaces)
            except Unreachable as error:
                reachable = False
                told = sentences(error.__cause__) if isinstance(error.__cause__, NotReached) else ()
                found = Outcome(letter.file, State.FAILED, letter.unique_id, told)
        yield found
