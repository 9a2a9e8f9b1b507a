"""Submitting letters one by one: repetition, failure, and what is registered already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from common.client import NewDocument, NotReached, OutcomeUnknown, SubmissionRefused, Submitted
from common.model import AvailabilityStatus, DocumentEntry, RegistryError, SubmissionSet
from console.submitting.files import Letter, meant
from console.submitting.outcome import Outcome, State, all_submitted, already_there, submitted

Answer = Submitted | Exception
DONE = Submitted("1", ("2",), ("3",), "4")


class Source:
    """Answers in turn, the last one for ever, and remembers what it was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.message_ids: list[str | None] = []
        self.replaced: list[Mapping[str, str] | None] = []

    def submit(
        self,
        documents: Sequence[NewDocument],
        *,
        submission_set: SubmissionSet | None = None,
        replaces: Mapping[str, str] | None = None,
        message_id: str | None = None,
    ) -> Submitted:
        self.message_ids.append(message_id)
        self.replaced.append(replaces)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def letter(name: str = "a.pdf", sha1: str = "aa") -> Letter:
    entry = DocumentEntry("", unique_id=f"1.{name}", patient_id="p", mime_type="application/pdf")
    return Letter(Path(name), entry, SubmissionSet(""), sha1, 1)


def lost() -> OutcomeUnknown:
    return OutcomeUnknown("urn:uuid:1", "the answer broke off")


def test_a_lost_answer_is_asked_for_again_with_the_same_message_id() -> None:
    source, pauses = Source(lost(), NotReached("no"), DONE), list[float]()

    outcome = submitted(letter(), source, None, pauses.append)

    assert outcome.state is State.SUBMITTED
    assert len(source.message_ids) == 3
    assert len(set(source.message_ids)) == 1
    assert pauses == sorted(pauses)


def test_an_answer_that_never_comes_is_a_failure_of_this_letter() -> None:
    outcome = submitted(letter(), Source(lost()), None, lambda _: None)

    assert outcome.state is State.FAILED
    assert "unknown" in " ".join(outcome.why)


def test_a_refusal_is_not_repeated_and_says_why() -> None:
    source = Source(SubmissionRefused([RegistryError("XDSUnknownPatientId", "nobody knows them")]))

    outcome = submitted(letter(), source, None, lambda _: None)

    assert outcome == Outcome(Path("a.pdf"), State.FAILED, "1.a.pdf", ("XDSUnknownPatientId: nobody knows them",))
    assert len(source.message_ids) == 1


def test_what_it_replaces_goes_with_it() -> None:
    source = Source(DONE)

    submitted(letter(), source, "urn:uuid:old", lambda _: None)

    assert source.replaced == [{"1.a.pdf": "urn:uuid:old"}]


def test_once_the_service_cannot_be_reached_nothing_more_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.submitting.outcome._PAUSES", ())
    source = Source(NotReached("refused"))

    outcomes = list(all_submitted([letter("a"), letter("b"), letter("c")], source, {}, None))

    assert [outcome.state for outcome in outcomes] == [State.FAILED] * 3
    assert len(source.message_ids) == 1
    assert outcomes[2].why == ("Not tried.",)


def test_the_same_letter_twice_is_submitted_once() -> None:
    source = Source(DONE)

    outcomes = list(all_submitted([letter(), letter()], source, {}, None))

    assert [outcome.state for outcome in outcomes] == [State.SUBMITTED, State.THERE]


def test_the_same_content_is_already_there_and_another_one_is_not() -> None:
    known = DocumentEntry("urn:uuid:1", unique_id="1.a.pdf", patient_id="p", hash="AA")

    same = already_there(letter(), {"1.a.pdf": known})
    other = already_there(letter(sha1="bb"), {"1.a.pdf": known})
    known.availability_status = AvailabilityStatus.DEPRECATED
    replaced = already_there(letter(), {"1.a.pdf": known})

    assert same
    assert same.state is State.THERE
    assert other
    assert other.state is State.FAILED
    assert "--replaces" in " ".join(other.why)
    assert replaced
    assert "replaced" in " ".join(replaced.why)
    assert already_there(letter(), {}) is None


def test_sidecars_and_hidden_files_are_no_documents(tmp_path: Path) -> None:
    for name in ("a.pdf", "a.pdf.toml", "b.pdf", "b.pdf.json", ".c.pdf", "data.json", "deep/d.pdf", ".git/e.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    found = [str(file.relative_to(tmp_path)) for file in meant([tmp_path, tmp_path / "a.pdf"])]

    assert found == ["a.pdf", "b.pdf", "data.json", "deep/d.pdf"]
