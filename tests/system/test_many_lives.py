"""Three Registries on one PostgreSQL, and many clients who amend, replace, move, merge and remove the same few things.

PORTOLAN_TEST_SECONDS says for how long. What each request comes to is decided by races; afterwards the tables are
sound, and everything that was acknowledged is there, or was removed.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from common.db import Database, open_database
from common.model import AssociationType, AvailabilityStatus, DocumentEntry, Folder
from registry.store.tables import entry, patient
from tests.factories import (
    HAS_MEMBER,
    a_document,
    a_folder,
    a_link,
    a_new_version,
    a_patient_id,
    a_status_change,
    a_submission,
    a_uuid,
    an_update,
    submit_objects,
    text,
)
from tests.feeds import Pas, linked, merged
from tests.model.soundness import problems
from tests.running import Pair, a_pair
from tests.wire import Answer, Services

pytestmark = pytest.mark.system

SECONDS = float(os.environ.get("PORTOLAN_TEST_SECONDS", "8"))
THREADS = 6
LOCAL = "NGH4471893^^^&2.999.826.4.1&ISO"
BOTH = f"('{AvailabilityStatus.APPROVED}','{AvailabilityStatus.DEPRECATED}')"
BUSY, GONE = "XDSRegistryBusy", "UnresolvedReferenceException"
OTHER_PATIENT = ("XDSUnknownPatientId", "XDSPatientIdDoesNotMatch", "XDSPatientIDReconciliationError")
WRONG, VERSION = "XDSMetadataUpdateError", "XDSMetadataVersionError"


@dataclass
class Shared:
    """What everybody works on."""

    patients: list[str] = field(default_factory=lambda: [a_patient_id() for _ in range(4)])
    letters: list[DocumentEntry] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client:
    """Does one thing after the other to what all share, at one of the Registries."""

    def __init__(self, services: Services, shared: Shared, seed: int) -> None:
        self._services, self._shared, self._random = services.apart(), shared, random.Random(seed)
        self._pas = Pas(services.mllp)

    def run(self, until: float) -> None:
        """Until a time."""
        happenings = {
            self.submit: 8, self.replace: 5, self.revise: 6, self.revise_folder: 2, self.change_status: 3,
            self.remove: 4, self.merge: 1, self.relink: 1,
        }  # fmt: skip
        try:
            while time.monotonic() < until:
                self._random.choices([*happenings], [*happenings.values()])[0]()
        finally:
            self._pas.close()

    def told(self, what: str, answer: Answer, *allowed: str) -> bool:
        """Whether it was carried out; a refusal has to be one that a race explains."""
        done = answer.registry_status == "Success"
        assert done or (answer.codes and set(answer.codes) <= {BUSY, *allowed}), (what, answer.contexts or answer.fault)
        with self._shared.lock:
            self._shared.counts[what if done else f"{what}, refused: {', '.join(sorted(set(answer.codes)))}"] += 1
        return done

    def letter(self) -> DocumentEntry:
        """One of those that came last, so that everybody wants the same."""
        with self._shared.lock:
            return self._random.choice(self._shared.letters[-8:])

    def now_of(self, letter: DocumentEntry) -> DocumentEntry | None:
        """The latest version of a document, as somebody sees it who then takes a while."""
        slots = {"$XDSDocumentEntryUniqueId": f"('{letter.unique_id}')"}
        found = self._services.objects("GetDocuments", slots).entries
        return max(found, key=lambda item: item.version or 1, default=None)

    def submit(self) -> None:
        """A new document, sometimes in a new Folder."""
        letter = a_document(entry_uuid=a_uuid(), patient_id=self._random.choice(self._shared.patients))
        letter.source_patient_id = LOCAL if self._random.random() < 0.1 else "X1^^^&2.999.826.4.1&ISO"
        folder = a_folder(entry_uuid=a_uuid(), patient_id=letter.patient_id)
        more = (folder, a_link(HAS_MEMBER, folder, letter)) if self._random.random() < 0.3 else ()
        answer = self._services.register(a_submission(letter, *more))
        if self.told("submission", answer, *OTHER_PATIENT):
            with self._shared.lock:
                self._shared.acknowledged.add(letter.entry_uuid)
                self._shared.letters.append(letter)
                self._shared.folders += [item for item in more if isinstance(item, Folder)]

    def replace(self) -> None:
        """A successor, put into a Folder as well now and then."""
        old = self.now_of(self.letter())
        if old is None:
            return
        new = a_document(entry_uuid=a_uuid(), patient_id=old.patient_id, source_patient_id=old.source_patient_id)
        links = [a_link(self._random.choice((AssociationType.RPLC, AssociationType.APND)), new, old)]
        answer = self._services.register(a_submission(new, *links))
        if self.told("replacement", answer, GONE, "XDSRegistryDeprecatedDocumentError", *OTHER_PATIENT):
            with self._shared.lock:
                self._shared.acknowledged.add(new.entry_uuid)
                self._shared.letters.append(new)

    def revise(self) -> None:
        """A new version; with those around it."""
        old = self.now_of(self.letter())
        if old is not None:
            new = a_new_version(old, title=text("amended"))
            answer = self._services.update(submit_objects(an_update(new, previous=str(old.version))))
            self.told("update", answer, WRONG, VERSION, *OTHER_PATIENT)

    def revise_folder(self) -> None:
        """A new version of a Folder, with its members."""
        with self._shared.lock:
            folder = self._random.choice(self._shared.folders[-4:]) if self._shared.folders else None
        if folder is None:
            return
        slots = {"$XDSFolderUniqueId": f"('{folder.unique_id}')"}
        for old in self._services.objects("GetFolders", slots).folders:
            update = an_update(a_new_version(old, title=text("amended")), previous=str(old.version))
            self.told(
                "update of a Folder", self._services.update(submit_objects(update)), WRONG, VERSION, *OTHER_PATIENT
            )

    def change_status(self) -> None:
        """Deprecated, or approved again."""
        old = self.now_of(self.letter())
        if old is not None and old.availability_status is not None:
            statuses = [
                old.availability_status,
                *(each for each in AvailabilityStatus if each != old.availability_status),
            ]
            change = a_status_change(old, statuses[0], statuses[1], patient_id=old.patient_id or "")
            self.told("status", self._services.update(submit_objects(change)), GONE, WRONG, *OTHER_PATIENT)

    def remove(self) -> None:
        """A version of a document with all that refers to it."""
        old = self.now_of(self.letter())
        if old is None:
            return
        going, unseen = {old.entry_uuid}, {old.entry_uuid}
        while unseen:
            listed = ",".join(f"'{name}'" for name in unseen)
            slots = {"$uuid": f"({listed})", "$XDSAssociationStatus": BOTH, "$MetadataLevel": "2"}
            unseen = set(self._services.query("GetAssociations", slots).ids()) - going
            going |= unseen
        sets = self._services.query("GetSubmissionSets", {"$uuid": f"('{old.entry_uuid}')"}).ids()
        names = [*going, *(name for name in sets if name not in going)]
        answer = self._services.remove(*names)
        allowed = (GONE, "ReferencesExistException", "XDSUnreferencedObjectException")
        if self.told("removal", answer, *allowed):
            with self._shared.lock:
                self._shared.removed.update(names)

    def merge(self) -> None:
        """One patient into another; a new one takes the place of who is gone."""
        with self._shared.lock:
            subsumed, survivor = self._random.sample(self._shared.patients, 2)
        done = self._pas.send(merged(subsumed, survivor)).code == "AA"
        with self._shared.lock:
            self._shared.counts["merge" if done else "merge, refused"] += 1
            if done and subsumed in self._shared.patients:
                self._shared.patients[self._shared.patients.index(subsumed)] = a_patient_id()

    def relink(self) -> None:
        """A local id's documents to another patient, whole or not at all."""
        with self._shared.lock:
            old, new = self._random.sample(self._shared.patients, 2)
        done = self._pas.send(linked(old, new, LOCAL)).code == "AA"
        with self._shared.lock:
            self._shared.counts["link change" if done else "link change, refused"] += 1


@pytest.fixture
def database(postgres_database: Callable[[], str]) -> Iterator[Database]:
    """Where all three keep everything."""
    made = open_database(postgres_database(), wait=30)
    yield made
    made.close()


@pytest.fixture
def registries(database: Database, tmp_path: Path) -> Iterator[list[Pair]]:
    """Three of them, started."""
    url = database.url.render_as_string(hide_password=False)
    pairs = [a_pair(tmp_path / str(number), {"DATABASE": url, "LOG_LEVEL": "warning"}) for number in range(3)]
    try:
        for pair in pairs:
            pair.registry.start()
        yield pairs
    finally:
        for pair in pairs:
            pair.registry.kill()


def test_r4_whatever_clients_do_at_once_the_registry_stays_sound(registries: list[Pair], database: Database) -> None:
    shared = Shared()
    first = Client(registries[0].services, shared, -1)
    while not shared.letters:
        first.submit()
    first.run(0)
    until = time.monotonic() + SECONDS
    clients = [Client(registries[number % 3].services, shared, number) for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        for each in [threads.submit(client.run, until) for client in clients]:
            each.result()

    print(f"\n{dict(sorted(shared.counts.items()))}")
    assert problems(database, shared.removed) == []
    with database.engine.connect() as connection:
        there = set(connection.scalars(select(entry.c.entry_uuid)))
        retired = set(connection.scalars(select(patient.c.patient_id).where(patient.c.merged_into.is_not(None))))
    assert shared.acknowledged - there <= shared.removed, "an acknowledged document is gone, and nobody removed it"
    assert not retired & set(shared.patients)
    happened = ("submission", "replacement", "update", "status", "removal", "merge")
    assert all(shared.counts[each] for each in happened)
    logs = "".join(pair.registry.log.read_text() for pair in registries)
    assert "Traceback" not in logs, logs[logs.index("Traceback") :][:3000]
