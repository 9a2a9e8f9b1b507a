"""The outcome matrix: each transaction, asked by each kind of caller. It is docs/security/outcomes.md.

`PORTOLAN_WRITE_PAGES=1` writes the page anew; otherwise it has to be what was seen. In the same world: answers that
come later, records that a patient feed opens, and the cross-reference, which has to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from common.access.policy import SHIPPED
from common.standard.transactions import ITI_18, ITI_43, ITI_44_ADD, ITI_44_MERGE, ITI_44_REVISE, ITI_45, Transaction
from common.tls import Files, Role
from common.tls.contexts import made as a_context
from tests.access_cases import CASES, HIDDEN, PRACTICE, AccessCase
from tests.access_kit import keep
from tests.access_kit import of_case as keep_case
from tests.assertions import BROKEN, WRAPPED, forged
from tests.factories import a_patient_id
from tests.feeds import a_pas, adt, pid
from tests.outcomes import ASKS, Ask, Ground, sent, table, told, wrapped_header
from tests.pages import held
from tests.secure_world import LETTER, World, a_world, of_a_doctor, of_case, of_nobody
from tests.servers.receiver import a_receiver
from tests.service.async_kit import SIMPLE, an_id
from tests.service.identity_kit import NGH, mrn, pix_query
from tests.service.test_iti44_feed import message as feed_message
from tests.wire import Answer, answer, envelope, mtom
from tests.xua import Sts, security

PAGE = Path(__file__).parents[2] / "docs" / "security" / "outcomes.md"
Header = Callable[[Sts], bytes]
CASE = CASES[0]
STRANGER = replace(CASE, related=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("outcomes")
    (folder / "places.toml").write_text(f'[organisations]\nSOUTHBECK = "{PRACTICE}"\n')
    (folder / "access.toml").write_text(SHIPPED.read_text().replace("grace_days = 30", "grace_days = 0"))
    settings = {
        "ACCESS_POLICY": str(folder / "access.toml"),
        "ACCESS_RELATIONSHIPS_FROM_ADT": "true",
        "ACCESS_PLACES": str(folder / "places.toml"),
    }
    with a_world(folder, settings) as made:
        yield made


def row(world: World, ground: Ground, session: requests.Session, header: Header) -> list[str]:
    """What each transaction answers."""
    block = header(world.sts)
    return [told(sent(session, world.urls, ask, ground, block)) for ask in ASKS]


def certificates(world: World, ground: Ground) -> Iterator[tuple[str, list[str]]]:
    folder = world.pki.folder
    for what, place in (
        ("none", None),
        ("of an authority that is not trusted", world.stranger.folder / "portal.pem"),
        ("expired", folder / "expired.pem"),
        ("revoked", folder / "revoked.pem"),
        ("trusted, but not expected", folder / "unexpected.pem"),
    ):
        with world.session(place) as session:
            yield what, row(world, ground, session, of_a_doctor)


def wrapped(sts: Sts, wrap: Callable[[Any, Any], tuple[Any, Any]]) -> bytes:
    real = sts.sign()
    return wrapped_header(wrap(real, forged(real))[0])


def assertions(world: World, ground: Ground) -> Iterator[tuple[str, list[str]]]:
    with world.session(world.pki.folder / "portal.pem") as session:
        yield "none", row(world, ground, session, of_nobody)
        yield "a header without one", row(world, ground, session, lambda _: security())
        for broken in BROKEN:
            yield broken.what, row(world, ground, session, lambda sts, make=broken.make: security(make(sts)))  # type: ignore[misc]
        for what, wrap in WRAPPED.items():
            yield what, row(world, ground, session, lambda sts, wrap=wrap: wrapped(sts, wrap))  # type: ignore[misc]


def those_let_in(world: World) -> Iterator[tuple[str, list[str]]]:
    with world.session(world.pki.folder / "portal.pem") as portal, world.system as system:
        yield "a system that acts for itself", row(world, world.ground(), system, of_nobody)
        for case in CASES:
            alone = not case.agreement and case.search == HIDDEN
            somebody = replace(case, organisation="ZG903") if alone else case
            ground = world.ground(case.confidentiality)
            keep_case(world.database, somebody, ground.patient_id)
            header = of_case(world.sts, somebody, ground.patient_id)
            yield case.name, row(world, ground, portal, lambda _, header=header: header)  # type: ignore[misc]


def test_the_outcomes_of_each_transaction_are_as_the_page_says(world: World) -> None:
    ground = world.ground()
    columns = [ask.transaction.label for ask in ASKS]
    refused = list(certificates(world, ground)), list(assertions(world, ground))
    let_in = list(those_let_in(world))

    for what, cells in refused[0]:
        assert set(cells) == {"TLS alert"}, what
    for what, cells in refused[1]:
        assert all(cell.startswith("400 wsse:") for cell in cells), (what, cells)
    for broken, (_, cells) in zip(BROKEN, refused[1][2:], strict=False):
        assert set(cells) == {f"400 wsse:{broken.kind.subcode.local}"}, broken.what  # type: ignore[union-attr]
    told_of = {"Certificate": refused[0], "Assertion": refused[1], "Known, and allowed or not": let_in}
    held(PAGE, "".join(f"\n## {title}\n\n{table(columns, rows)}" for title, rows in told_of.items()))


def later(world: World, ask: Ask, ground: Ground, case: AccessCase | None) -> Answer:
    """The answer that comes at another address, to a user or, without a case, to a system."""
    header = of_case(world.sts, case, ground.patient_id) if case is not None else b""
    certificate = world.pki.folder / ("portal.pem" if case is not None else "node.pem")
    with a_receiver() as receiver, world.session(certificate) as session:
        message = envelope(ask.transaction, ask.body(ground), header=header, message_id=an_id(), reply_to=receiver.url)
        kind, data = mtom(message, {}) if ask.is_mtom else (SIMPLE, message)
        came = session.post(world.urls[ask.service], data=data, headers={"Content-Type": kind}, timeout=60)
        assert came.status_code == 202, came.text
        [received] = receiver.wait()
    return received.answer


@pytest.mark.parametrize("ask", [each for each in ASKS if each.transaction in (ITI_18, ITI_43)],
                         ids=lambda ask: ask.transaction.label)  # fmt: skip
def test_an_answer_that_comes_later_is_that_to_whoever_asked(world: World, ask: Ask) -> None:
    ground = world.ground()
    keep_case(world.database, CASE, ground.patient_id)
    other = world.ground()
    letter = ground.letters[0].unique_id

    for who in (None, CASE):
        came = later(world, ask, ground, who)
        assert came.registry_status == "Success", came.contexts
        assert len(came.ids()) == 5 if ask.transaction is ITI_18 else came.documents() == {letter: LETTER}
    nothing = later(world, ask, other, STRANGER)
    assert told(nothing) == ("Success, nothing" if ask.transaction is ITI_18 else "Failure XDSDocumentUniqueIdError")
    assert told(later(world, ask, other, None)).startswith("Success")


def test_an_admission_over_mllp_opens_the_record_and_a_discharge_closes_it(world: World) -> None:
    ground = world.ground()
    header = of_case(world.sts, STRANGER, ground.patient_id)
    context = a_context(Files(str(world.pki.folder / "portal.pem"), "", world.pki.ca), Role.CLIENT)
    context.check_hostname = False
    pv1 = "PV1||I|W1^^^SOUTHBECK" + "|" * 16 + "V1"
    [find] = [each for each in ASKS if each.transaction is ITI_18]

    def found() -> str:
        with world.session(world.pki.folder / "portal.pem") as session:
            return told(answer(session.post(world.urls["registry"], data=envelope(ITI_18, find.body(ground),
                                                                                  header=header),
                                            headers={"Content-Type": SIMPLE}, timeout=60)))  # fmt: skip

    assert found() == "Success, nothing"
    with a_pas(world.pair.mllp, context) as pas:
        assert pas.send(adt("A01", pid(ground.patient_id), pv1, version="2.5")).code == "AA"
        assert found() == "Success, nothing"  # whoever may not feed opens nothing
        keep(world.database, "roles", {"role": "PAS^2.999.1", "right": "feed"})
        keep(
            world.database, "users", {"user": "name:portal", "name": "A PAS", "kind": "system", "roles": "PAS^2.999.1"}
        )
        assert pas.send(adt("A01", pid(ground.patient_id), pv1, version="2.5")).code == "AA"
        assert found() == "Success, 5"
        assert pas.send(adt("A03", pid(ground.patient_id), pv1, version="2.5")).code == "AA"
    assert found() == "Success, nothing"


def of_identity(world: World, transaction: Transaction, patient_id: str, case: AccessCase | None) -> Answer:
    """A message of somebody's, or of a system's, at the cross-reference."""
    if transaction is ITI_45:
        body = pix_query(patient_id, NGH)
    else:
        body = feed_message(transaction, patient_id, prior=(mrn(),) if transaction is ITI_44_MERGE else ())
    header = of_case(world.sts, case, patient_id) if case is not None else b""
    with world.session(world.pki.folder / ("portal.pem" if case is not None else "node.pem")) as session:
        message = envelope(transaction, body, header=header)
        came = session.post(world.urls["identity"], data=message, headers={"Content-Type": SIMPLE}, timeout=60)
    return answer(came)


@pytest.mark.parametrize("transaction", [ITI_44_ADD, ITI_44_REVISE, ITI_44_MERGE], ids=lambda each: each.root[-15:])
def test_whoever_has_no_right_to_feed_is_refused_at_the_cross_reference(world: World, transaction: Transaction) -> None:
    patient_id = a_patient_id()

    came = of_identity(world, transaction, patient_id, CASE)
    assert told(came) == "CE"
    assert b"this is not allowed to whoever asks" in came.content
    assert b"9990" not in came.content
    assert told(of_identity(world, ITI_45, patient_id, CASE)) == "AE AE"  # it is not known: nothing was taken in


def test_the_cross_reference_does_nothing_where_the_registry_does_not_say_who_may(world: World) -> None:
    patient_id, first = a_patient_id(), a_patient_id()
    assert told(of_identity(world, ITI_44_ADD, first, None)) == "CA"
    world.pair.registry.kill()  # the last test of this world
    fed = of_identity(world, ITI_44_ADD, patient_id, None)
    asked = of_identity(world, ITI_45, first, CASE)

    assert told(fed) == "CE"
    assert told(asked) == "AE AE"
    for came in (fed, asked):
        assert b"send the same message again later" in came.content
    folder = Path(world.pair.registry.environment["PORTOLAN_DATA"])
    kept = b"".join(each.read_bytes() for each in folder.glob("identity.db*"))
    assert first.partition("^")[0].encode() in kept
    assert patient_id.partition("^")[0].encode() not in kept
