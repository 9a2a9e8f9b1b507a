"""Register and Search on one database, without HTTP."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import Any

from lxml import etree
from sqlalchemy import func, insert, select

from common.db import Database
from common.ebxml.query import AdhocQuery
from common.ebxml.submission import read_submission
from common.model import RegistryResponse, Submission
from common.standard.identifiers import RIM
from common.standard.queries import BY_NAME
from registry.known import Domain
from registry.register import Register
from registry.search import Answer, Limits, Search
from registry.store.tables import association, entry, folder, identifier, patient, submission_set
from registry.update import Update
from tests.factories import AnyDomain, a_uuid, submit_objects

TABLES = (association, entry, folder, identifier, submission_set)


class SmallRegistry:
    """Registers and finds; ``now`` is what the clock shows."""

    def __init__(self, database: Database, domain: Domain | None = None, *, max_objects: int = 100) -> None:
        self.database = database
        self.now = "20260311150000"
        self.domain = domain or AnyDomain()
        self.max_objects = max_objects
        self.limits = Limits(1000, 100, 1000)
        self.strict = False

    def register(
        self, submission: Submission, *, message_id: str | None = None, digest: str | None = None
    ) -> RegistryResponse:
        """ITI-42; the submission given is left as it is."""
        data = submit_objects(submission)
        action = Register(self.database, self.domain, max_objects=self.max_objects, now=lambda: self.now)
        return action.register(
            lambda: read_submission(etree.fromstring(data)),
            message_id=message_id or a_uuid(),
            digest=digest or hashlib.sha256(repr(submission).encode()).hexdigest(),
            correlation="c1",
        )

    def update(
        self, submission: Submission, *, restricted: bool = False, message_id: str | None = None
    ) -> RegistryResponse:
        """ITI-57, or with ``restricted`` ITI-92."""
        data = submit_objects(submission)
        action = Update(self.database, self.domain, max_objects=self.max_objects, now=lambda: self.now)
        return action.update(
            lambda: read_submission(etree.fromstring(data)),
            restricted=restricted,
            message_id=message_id or a_uuid(),
            digest=hashlib.sha256(repr(submission).encode()).hexdigest(),
            correlation="c1",
        )

    def registered(self, submission: Submission) -> Submission:
        """A good submission as the registry has it: with the names it was given."""
        given = copy.deepcopy(submission)
        for item in given.objects():
            if item.is_symbolic:
                name = a_uuid()
                for link in given.associations:
                    link.source = name if link.source == item.entry_uuid else link.source
                    link.target = name if link.target == item.entry_uuid else link.target
                item.entry_uuid = name
        response = self.register(given)
        assert not response.errors, response.errors
        return given

    def ask(self, name: str, slots: Mapping[str, Any], *, leaf: bool = False, multi_patient: bool = False) -> Answer:
        """ITI-18."""
        pairs = tuple((slot, (values,) if isinstance(values, str) else tuple(values)) for slot, values in slots.items())
        search = Search(self.database, self.limits, self.domain if self.strict else None)
        asked = AdhocQuery(BY_NAME[name].id, "LeafClass" if leaf else "ObjectRef", pairs)
        return search.answer(asked, multi_patient=multi_patient, correlation="c1")

    def ids(self, name: str, slots: Mapping[str, Any], **more: Any) -> set[str]:
        """The ids that a query finds."""
        answer = self.ask(name, slots, **more)
        assert not answer.response.errors, answer.response.errors
        return {each.get("id") for each in etree.fromstring(answer.body).iter(f"{{{RIM}}}ObjectRef")}

    def found(self, name: str, slots: Mapping[str, Any]) -> Submission:
        """The objects that a query finds."""
        answer = self.ask(name, slots, leaf=True)
        assert not answer.response.errors, answer.response.errors
        return read_submission(etree.fromstring(answer.body))

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.database.engine.connect() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES
            }

    def feed(self, patient_id: str, merged_into: str | None = None) -> None:
        """Make a patient known."""
        with self.database.engine.begin() as connection:
            connection.execute(
                insert(patient), {"patient_id": patient_id, "fed_at": self.now, "merged_into": merged_into}
            )
