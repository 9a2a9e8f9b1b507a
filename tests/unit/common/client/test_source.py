"""What the Document Source makes of an answer, and what it remembers of a message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from common.client import ContentUnreadable, DocumentSource, OutcomeUnknown, SubmissionRefused, Submitted, source
from common.client.message_ids import new_message_id, time_of
from tests.unit.common.client.peer import Act, a_peer, answering, envelope, http, silent
from tests.unit.common.client.test_submission import a_new_document

RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"


def response(status: str, severity: str = "Error") -> bytes:
    return envelope(
        f'<r:RegistryResponse xmlns:r="{RS}" status="{status}"><r:RegistryErrorList><r:RegistryError '
        f'errorCode="XDSRepositoryBusy" codeContext="wait" severity="urn:x:{severity}"/></r:RegistryErrorList>'
        "</r:RegistryResponse>"
    )


def submitted(act: Act, message_id: str | None = None) -> Submitted:
    with a_peer(act) as peer, DocumentSource(peer.url, source_id="1.2", answer_timeout=2) as document_source:
        return document_source.submit([a_new_document()], message_id=message_id)


def test_warnings_do_not_stop_a_submission() -> None:
    done = submitted(answering(http(response(f"{STATUS}Success", "Warning"))), "urn:mine")

    assert [warning.code for warning in done.warnings] == ["XDSRepositoryBusy"]
    assert done.message_id == "urn:mine"


@pytest.mark.parametrize("status", [f"{STATUS}Failure", "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"])
def test_whatever_is_not_success_is_a_refusal(status: str) -> None:
    with pytest.raises(SubmissionRefused, match="XDSRepositoryBusy: wait"):
        submitted(answering(http(response(status))))


@pytest.mark.parametrize(
    "act",
    [
        silent,
        answering(http(b"<html/>", "text/html", status=502)),
        answering(http(envelope("<other/>"))),
        answering(http(response("urn:what"))),
        answering(http(envelope("<other/>", relates_to="urn:another"))),
    ],
)
def test_whatever_is_no_clear_answer_leaves_the_outcome_unknown(act: Act) -> None:
    with pytest.raises(OutcomeUnknown, match="same message_id") as told:
        submitted(act)
    assert time_of(told.value.message_id or "")


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which a second passes whenever it is looked at."""
    passing = iter(range(100))
    monkeypatch.setattr(source, "utc_now", lambda: f"{next(passing):04d}")
    monkeypatch.setattr(source, "_REMEMBERED", 2)


@pytest.mark.usefixtures("seconds")
def test_the_submission_time_of_a_message_stays_the_same() -> None:
    times = source._Times()

    assert [times.of("a"), times.of("b"), times.of("a")] == ["0000", "0001", "0000"]
    assert [times.of("c"), times.of("b")] == ["0003", "0001"]
    timed = new_message_id()
    assert times.of(timed) == time_of(timed)


def test_a_file_that_is_not_there_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    document = replace(a_new_document(), content=tmp_path / "none")
    with (
        DocumentSource("http://127.0.0.1:9/", source_id="1.2") as document_source,
        pytest.raises(ContentUnreadable, match="none") as told,
    ):
        document_source.submit([document], message_id="urn:mine")
    assert told.value.message_id == "urn:mine"
