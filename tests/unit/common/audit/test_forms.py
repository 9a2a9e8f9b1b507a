"""Records that are filled in like forms say, byte for byte, what the general way says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.audit.account import Account, Document, Judgement
from common.audit.events import ANSWERED, Kind, Row
from common.audit.forms import Forms, is_usual
from common.audit.message import Source
from common.audit.parties import Asker, Node
from common.audit.records import Happened, records
from common.audit.syslog import framed
from common.audit.writing import written
from common.caller import Caller
from tests.unit.common.audit.kit import ASKER, AT, OTHER, PATIENT

NODE = Node("registry", "https://registry.example/registry", Source("registry", "ZT901"), "registry.example")
FIELDS = "registry.example portolan-registry 17"
FORMS = Forms(NODE.source, FIELDS, lambda row: NODE.participant(row.answering, asks=False))

texts = st.text(max_size=30) | st.sampled_from(["%", "%(at)s", "%%s", "<&\">'", "\x00", "x" * 3000, PATIENT])
named = texts.filter(bool)
documents = st.builds(Document, named, st.sampled_from(["", "2.999"]), st.sampled_from(["", "urn:oid:2.999"]))
accounts = st.builds(
    Account,
    patients=st.lists(named, max_size=1),
    submission_sets=st.lists(named, max_size=3),
    documents=st.lists(documents, max_size=3),
    message_id=texts,
    query_id=texts,
    query=st.none() | st.binary(max_size=50),
    home_community_id=texts,
)


def in_general(row: Row, account: Account, asker: Asker, correlation: str) -> list[bytes]:
    participants = (*asker.participants(row.asking), NODE.participant(row.answering, asks=False))
    happened = Happened(row, "Success", account, participants, NODE.source, correlation, asker.purposes)
    return [framed(written(each, AT), AT, FIELDS, failed=False) for each in records(happened)]


@given(st.sampled_from(list(ANSWERED.values())), accounts, texts, st.sampled_from([ASKER, Asker(), Asker("%s", "%d")]))
def test_a_form_says_what_the_general_way_says(row: Row, account: Account, correlation: str, asker: Asker) -> None:
    if not is_usual(row, "Success", account):
        return

    for _ in range(2):  # the first makes the form, the second finds it
        assert [FORMS.frame(row, account, asker, correlation, AT)] == in_general(row, account, asker, correlation)


@pytest.mark.parametrize("row", ANSWERED.values(), ids=lambda row: row.key)
def test_what_is_usual_of_each_transaction_is_filled_in(row: Row) -> None:
    account = Account(
        patients=[PATIENT],
        submission_sets=["2.999.1"] if Kind.SUBMISSION_SET in row.kinds else [],
        documents=[Document("2.999.2", "2.999", patient_id=PATIENT)] if Kind.DOCUMENT in row.kinds else [],
        message_id="MSG1",
        query=b"<query/>" if Kind.QUERY in row.kinds else None,
    )

    assert is_usual(row, "Success", account)
    for patient in (PATIENT, OTHER):
        account.patients = [patient]
        assert [FORMS.frame(row, account, ASKER, "c0ffee", AT)] == in_general(row, account, ASKER, "c0ffee")


@pytest.mark.parametrize(
    ("outcome", "account"),
    [
        ("Failure", Account(patients=[PATIENT])),
        ("Success", Account()),
        ("Success", Account(patients=[PATIENT, OTHER])),
        ("Success", Account(patients=[PATIENT], judgements=[Judgement(True, "rule")])),
        ("Success", Account(documents=[Document("2.1", patient_id=PATIENT), Document("2.2", patient_id=OTHER)])),
        ("Success", Account(documents=[Document("2.1", problem="XDSDocumentUniqueIdError")])),
        ("Success", Account(documents=[Document(f"2.{number}") for number in range(100)])),
    ],
    ids=["failed", "about nothing", "two patients", "judged", "documents of two", "one not given", "many"],
)
def test_what_is_not_usual_is_left_to_the_general_way(outcome: str, account: Account) -> None:
    assert not is_usual(ANSWERED["ITI-43"], outcome, account)


def test_a_query_that_is_too_long_to_be_repeated_is_not_usual() -> None:
    account = Account(patients=[PATIENT], query=b"x" * 300_000)

    assert not is_usual(ANSWERED["ITI-18"], "Success", account)


def test_an_id_of_an_assertion_that_is_used_again_later_is_another_users() -> None:
    account = Account(patients=[PATIENT])
    callers = (Caller("nurse", "https://sts.example", "_1", 100.0), Caller("clerk", "https://sts.example", "_1", 200.0))

    for caller in callers:
        asker = Asker(caller=caller)
        frame = FORMS.frame(ANSWERED["ITI-43"], account, asker, "c0ffee", AT)
        assert [frame] == in_general(ANSWERED["ITI-43"], account, asker, "c0ffee")


def test_the_name_of_a_query_makes_no_form_of_its_own() -> None:
    forms = Forms(NODE.source, FIELDS, lambda row: NODE.participant(row.answering, asks=False))
    row = ANSWERED["ITI-18"]

    for name in ("one", "two"):
        account = Account(patients=[PATIENT], query_id=name, query=b"<query/>")
        assert [forms.frame(row, account, ASKER, "", AT)] == in_general(row, account, ASKER, "")
    assert len(forms._known) == 1


def test_what_a_sender_may_make_long_is_not_kept_at_length() -> None:
    forms = Forms(NODE.source, FIELDS, lambda row: NODE.participant(row.answering, asks=False))
    account = Account(patients=[PATIENT], query=b"<query/>", home_community_id="urn:oid:2.999." + "9" * 100_000)

    assert [forms.frame(ANSWERED["ITI-18"], account, ASKER, "", AT)] == in_general(
        ANSWERED["ITI-18"], account, ASKER, ""
    )
    assert len(repr(forms._known)) < 20_000
