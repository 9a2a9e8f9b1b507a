"""What a door does where nothing can be recorded, and when a record is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.audit.account import current
from common.audit.auditor import Auditor
from common.soap.addressing import way_of
from common.soap.envelope import read_envelope, write_envelope
from common.soap.faults import FAILED_CHECK, MESSAGE_EXPIRED, RECEIVER, SENDER, SoapFault
from common.soap.xml import XmlLimits, parse
from common.standard.transactions import ITI_18, ITI_43, Transaction
from common.web.answers import Reply
from common.web.pacing import TooOften
from common.web.recording import Heard, Recording
from common.web.sparing import Sparing
from tests.unit.common.audit.kit import an_auditor, spooled


class Document:
    """On its way out."""

    size, mime_type = 1, "text/plain"

    def __init__(self) -> None:
        self.is_closed = False

    def chunks(self) -> Iterator[bytes]:
        yield b"x"

    def close(self) -> None:
        self.is_closed = True


def fail(transaction: Transaction, error: Exception, correlation: str) -> Reply:
    return Reply((f"{transaction.label} failed: {error}".encode(),), outcome="Failure")


def broken(folder: Path) -> Auditor:
    (folder / "spool").write_text("no folder")
    return an_auditor(folder / "spool")


def test_a_record_is_kept_before_the_answer_is_given(tmp_path: Path) -> None:
    auditor = an_auditor(tmp_path)
    heard = Heard(address="192.0.2.1")

    def act() -> Reply:
        assert not spooled(tmp_path)
        current().concerns("9990001006^^^&1.2&ISO")
        return Reply((b"answer",))

    recording = Recording(auditor)
    with recording.account():
        reply = recording.carried_out(ITI_18, heard, act, fail)

    assert reply.pieces == (b"answer",)
    assert heard.is_recorded
    assert len(spooled(tmp_path)) == 1
    auditor.close()


def test_nothing_is_done_where_it_could_not_be_recorded(tmp_path: Path) -> None:
    recording = Recording(broken(tmp_path))

    with recording.account():
        reply = recording.carried_out(ITI_18, Heard(), lambda: pytest.fail("it was done"), fail)

    assert reply.outcome == "Failure"
    assert reply.pieces[0].startswith(b"ITI-18 failed: the audit spool cannot be written")


def test_what_could_not_be_recorded_once_it_was_done_is_not_given(tmp_path: Path) -> None:
    auditor, document = an_auditor(tmp_path / "good"), Document()

    def act() -> Reply:
        auditor.close()
        auditor._spool._folder = tmp_path / "file"  # the disk goes away meanwhile
        (tmp_path / "file").write_text("no folder")
        return Reply((b"answer", b""), (document,))

    recording = Recording(auditor)
    with recording.account():
        reply = recording.carried_out(ITI_43, Heard(), act, fail)

    assert reply.outcome == "Failure"
    assert document.is_closed


def test_a_fault_is_recorded_once(tmp_path: Path) -> None:
    auditor = an_auditor(tmp_path)
    recording = Recording(auditor)
    fault = SoapFault(SENDER, "no XML")

    with recording.account():
        assert recording.refused(fault, Heard()) is fault
    with recording.account():
        assert recording.refused(fault, Heard(is_recorded=True)) is fault
    with recording.account():
        recording.refused(SoapFault(FAILED_CHECK), Heard(transaction=ITI_18))
    auditor.close()

    found = [each[0][0].get("csd-code") for each in spooled(tmp_path)]
    assert found == ["110113", "110114", "110112"]


def test_a_refusal_that_cannot_be_recorded_says_so(tmp_path: Path) -> None:
    recording = Recording(broken(tmp_path))

    with recording.account():
        told = recording.refused(SoapFault(SENDER, "no XML"), Heard(transaction=ITI_18))

    assert told.kind is RECEIVER


def test_without_an_audit_trail_there_is_no_account() -> None:
    recording = Recording(None)
    fault = SoapFault(SENDER)

    with recording.account() as account:
        assert account is None
        assert recording.carried_out(ITI_18, Heard(), lambda: Reply((b"x",)), fail).pieces == (b"x",)
        assert recording.refused(fault, Heard()) is fault


def test_an_address_for_answers_is_the_requestors_name(tmp_path: Path) -> None:
    auditor = an_auditor(tmp_path)
    message = write_envelope(ITI_18.action, b"<q/>", message_id="urn:uuid:1", reply_to="https://portal.example/answers")
    read = read_envelope(parse(message, XmlLimits(), None))

    with Recording(auditor).account():
        Recording(auditor).carried_out(ITI_18, Heard(envelope=read, way=way_of(read)), lambda: Reply((b"x",)), fail)
    auditor.close()

    [record] = spooled(tmp_path)
    assert record[1].get("UserID") == "https://portal.example/answers"


def test_who_asks_too_often_is_recorded_once_in_a_while_with_how_often(tmp_path: Path) -> None:
    clock = [1.0]
    recording = Recording(an_auditor(tmp_path), Sparing.alone(lambda: clock[0]))
    fault, heard = TooOften("This client asks more often than it may", 3.0), Heard(address="192.0.2.1")

    for seconds in (0, 1, 2, 90):
        clock[0] = 1.0 + seconds
        assert recording.refused(fault, heard) is fault

    first, second = spooled(tmp_path)
    assert first[0][0].get("csd-code") == "110113"
    assert first[1].get("NetworkAccessPointID") != "192.0.2.1"
    assert first[2].get("NetworkAccessPointID") == "192.0.2.1"
    told = [each[0].findtext("EventOutcomeDescription") for each in (first, second)]
    assert told == [fault.reason, f"{fault.reason} (2 more like it since the last record)"]


def test_who_asks_too_often_is_refused_where_nothing_can_be_recorded_too(tmp_path: Path) -> None:
    fault = TooOften("This client asks more often than it may", 3.0)

    assert Recording(broken(tmp_path), Sparing.alone(lambda: 1.0)).refused(fault, Heard()) is fault


def test_a_stale_message_is_a_user_who_was_not_identified(tmp_path: Path) -> None:
    auditor = an_auditor(tmp_path)
    with Recording(auditor).account():
        Recording(auditor).refused(SoapFault(MESSAGE_EXPIRED), Heard(transaction=ITI_18))
    auditor.close()

    assert [each[0][0].get("csd-code") for each in spooled(tmp_path)] == ["110114", "110112"]
