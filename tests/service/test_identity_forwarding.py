"""What the cross-reference tells the Registry: kept with the message, in each patient's order, until it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.client.errors import NotReached
from common.client.mllp import MllpClient
from common.db import Database, open_database
from identity.crossreference import CrossReference, Told
from identity.forwarding import Forwarder, written
from identity.rules.identifiers import Domain, Key
from identity.store import forwarding, schema
from tests.factories import AUTHORITY, a_document, a_patient_id, a_submission, an_nhs_number
from tests.servers.process import eventually
from tests.wire import Services


class Registry:
    """Acknowledges as it is told to, and keeps what came."""

    def __init__(self) -> None:
        self.code = "AA"
        self.error = ""
        self.away = False
        self.heard: list[str] = []

    def send(self, message: bytes) -> bytes:
        if self.away:
            raise NotReached("away")
        text = message.decode()
        self.heard.append(text)
        err = f"ERR|PID^1^3^{self.error}&x&HL70357\r" if self.error else ""
        return f"MSH|^~\\&|A|B|C|D|1||ACK|1|P|2.3.1\rMSA|{self.code}|x|why\r{err}".encode()

    def close(self) -> None:
        pass

    def said(self) -> list[tuple[str, ...]]:
        """The event and the numbers of each message."""
        found = []
        for text in self.heard:
            lines = {line.split("|")[0]: line.split("|") for line in text.split("\r") if line}
            numbers = [lines["PID"][3], *([lines["MRG"][1]] if "MRG" in lines else [])]
            found.append((lines["EVN"][1], *(each.partition("^")[0] for each in numbers)))
        return found


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'identity.db'}"
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = make()
    made = open_database(url)
    schema.upgrade(made)
    yield made
    made.close()


@pytest.fixture
def reference(database: Database) -> CrossReference:
    return CrossReference(database, Domain(AUTHORITY), forwards=True)


def number(text: str = "") -> Key:
    return Key(AUTHORITY, text or an_nhs_number())


def waiting(database: Database) -> list[forwarding.Forward]:
    with database.read() as work:
        return forwarding.forwards(work, 100)


def hurry(database: Database) -> None:
    """Have what waits be due now."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE pix_forward SET due_at = 0")


def test_new_numbers_and_merges_are_told_in_order_and_nothing_else(
    database: Database, reference: CrossReference
) -> None:
    one, two, local = number(), number(), Key("2.999.1", "L1")
    reference.tell(Told((local,), "1"))
    reference.tell(Told((local, one), "2"))
    reference.tell(Told((local, one), "3"))
    reference.merge(Told((Key("2.999.1", "L2"),), "4"), (local,))
    reference.merge(Told((two,), "5"), (one,))
    registry = Registry()

    assert Forwarder(database, registry).send_what_is_due() == 3

    assert registry.said() == [
        ("A04", one.extension),
        ("A04", two.extension),
        ("A40", two.extension, one.extension),
    ]
    assert waiting(database) == []
    assert Forwarder(database, registry).send_what_is_due() == 0


def test_what_was_refused_leaves_nothing_to_forward(database: Database, reference: CrossReference) -> None:
    local, one, two = Key("2.999.1", "L1"), number(), number()
    reference.tell(Told((local, one), "1"))
    assert reference.tell(Told((local, two), "2")) is not None

    assert [each.patient for each in waiting(database)] == [one.cx()]


def test_while_the_registry_is_away_everything_waits_and_then_arrives(
    database: Database, reference: CrossReference
) -> None:
    numbers = [number() for _ in range(5)]
    for each in numbers:
        reference.tell(Told((each,), each.extension))
    registry = Registry()
    registry.away = True
    forwarder = Forwarder(database, registry)

    assert forwarder.send_what_is_due() == 0
    assert forwarder.send_what_is_due() == 0  # not due yet
    first, *rest = waiting(database)
    assert (first.tries, {each.tries for each in rest}) == (1, {0})
    assert first.reason

    registry.away = False
    hurry(database)
    assert forwarder.send_what_is_due() == 5
    assert registry.said() == [("A04", each.extension) for each in numbers]


def test_a_breakdown_of_the_registry_is_tried_again_and_a_refusal_waits_for_an_operator(
    database: Database, reference: CrossReference
) -> None:
    one, two = number(), number()
    for each in (one, two):
        reference.tell(Told((each,), each.extension))
    registry = Registry()
    registry.code, registry.error = "AE", "207"
    forwarder = Forwarder(database, registry)
    assert forwarder.send_what_is_due() == 0
    assert len(registry.heard) == 1

    registry.error = "204"
    hurry(database)
    forwarder.send_what_is_due()
    assert {each.state for each in waiting(database)} == {"refused"}

    registry.code = "AA"
    registry.heard.clear()
    assert forwarder.send_what_is_due() == 0
    first, second = (each.number for each in waiting(database))
    with database.write() as work:
        assert forwarding.discard(work, first)
        assert forwarding.again(work, second)
        assert not forwarding.again(work, first)
        work.commit()
    assert forwarder.send_what_is_due() == 1
    assert registry.said() == [("A04", two.extension)]


def test_a_patients_messages_keep_their_order_when_one_has_to_wait(
    database: Database, reference: CrossReference
) -> None:
    one, two, other = number(), number(), number()
    reference.tell(Told((one,), "1"))
    reference.merge(Told((two,), "2"), (one,))
    reference.tell(Told((other,), "3"))
    first = waiting(database)[0].number
    with database.write() as work:
        forwarding.later(work, first, 60, "by itself")
        work.commit()
    registry = Registry()

    Forwarder(database, registry).send_what_is_due()

    assert registry.said() == [("A04", two.extension), ("A04", other.extension)]
    assert [each.event for each in waiting(database)] == ["A04", "A40"]


def test_two_forwarders_send_each_message_once(database: Database, reference: CrossReference) -> None:
    numbers = [number() for _ in range(20)]
    for each in numbers:
        reference.tell(Told((each,), each.extension))
    registry = Registry()
    forwarders = [Forwarder(database, registry, every=0.02) for _ in range(3)]
    for each in forwarders:
        each.start()
    eventually(lambda: waiting(database) == [], "everything told", 30)
    for each in forwarders:
        each.stop()

    assert registry.said() == [("A04", each.extension) for each in numbers]


def test_a_process_that_dies_after_sending_sends_again(
    database: Database, reference: CrossReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference.tell(Told((number(),), "1"))
    registry = Registry()

    def dies(name: str) -> None:
        if name == "forward.sent":
            raise KeyboardInterrupt

    monkeypatch.setattr("identity.forwarding.checkpoint", dies)
    with pytest.raises(KeyboardInterrupt):
        Forwarder(database, registry).send_what_is_due()
    monkeypatch.undo()
    assert len(waiting(database)) == 1
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE pix_turn SET until = 0")  # its turn is over some time

    assert Forwarder(database, registry).send_what_is_due() == 1
    assert len(registry.heard) == 2


def test_the_message_says_no_more_than_a_registry_keeps() -> None:
    survivor, subsumed = (Key(AUTHORITY, each).cx() for each in ("9990001006", "9990001022"))
    made = forwarding.Forward(7, "A40", survivor, subsumed, "waiting", 0, None, 0)

    lines = written(made, "20260306093000").decode().split("\r")

    assert lines[0] == "MSH|^~\\&|PORTOLAN-IDENTITY||||20260306093000||ADT^A40|F7|P|2.3.1"
    assert lines[2] == f"PID|||9990001006^^^&{AUTHORITY}&ISO|| "
    assert lines[3] == f"MRG|9990001022^^^&{AUTHORITY}&ISO"


def test_a_running_registry_is_told(services: Services, database: Database, reference: CrossReference) -> None:
    old, new = a_patient_id(), a_patient_id()
    services.register(a_submission(a_document(patient_id=old)))
    client = MllpClient("127.0.0.1", services.mllp, connect_timeout=5, answer_timeout=20)
    reference.tell(Told((number(old.partition("^")[0]),), "1"))
    reference.merge(Told((number(new.partition("^")[0]),), "2"), (number(old.partition("^")[0]),))
    forwarder = Forwarder(database, client)

    assert forwarder.send_what_is_due() == 3
    forwarder.stop()

    assert waiting(database) == []
    assert (len(services.find(old).ids()), len(services.find(new).ids())) == (0, 1)
