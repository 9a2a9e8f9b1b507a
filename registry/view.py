"""What of the registry somebody sees while a question is answered; here everything, in ``registry.access`` less."""

from __future__ import annotations

from collections.abc import Iterable

from common.db import Work
from common.standard.question import Question
from registry.store import linking
from registry.store.finding import Found, Kind, find, named, passing
from registry.store.linking import Link


class View:
    """Objects and the Associations between them, as the stores find them."""

    marked = False
    """Whether what access depends on is read with each entry."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def find(self, question: Question, kind: Kind, limit: int, *, of_patient: str = "") -> list[Found]:
        """The objects of one kind that meet all the question's criteria on it."""
        return self.seen(find(self.work, question, kind, limit, of_patient=of_patient, marked=self.marked), limit)

    def named(self, question: Question, kind: Kind, limit: int) -> list[Found]:
        """The objects of one kind that the question names, whatever its filters."""
        return self.seen(named(self.work, question, kind, limit, marked=self.marked), limit)

    def passing(self, question: Question, kind: Kind, uuids: Iterable[str]) -> list[Found]:
        """Those of some objects that pass the question's filters."""
        return self.seen(passing(self.work, question, kind, uuids, marked=self.marked))

    def objects(self, kind: Kind, uuids: Iterable[str], *, leaf: bool, level: int) -> list[Found]:
        """Objects of one kind by entryUUID."""
        return self.seen(linking.objects(self.work, kind, uuids, leaf=leaf, level=level, marked=self.marked))

    def links_from(self, uuids: Iterable[str], statuses: frozenset[str], *, leaf: bool) -> list[Link]:
        """Associations whose source is among these."""
        return self.tied(linking.links_from(self.work, uuids, statuses, leaf=leaf))

    def links_to(self, uuids: Iterable[str], statuses: frozenset[str], *, leaf: bool) -> list[Link]:
        """Associations whose target is among these."""
        return self.tied(linking.links_to(self.work, uuids, statuses, leaf=leaf))

    def links_at(self, uuids: Iterable[str], statuses: frozenset[str], *, leaf: bool) -> list[Link]:
        """Associations with an end among these, each once."""
        return self.tied(linking.links_at(self.work, uuids, statuses, leaf=leaf))

    def links(self, uuids: Iterable[str], statuses: frozenset[str], *, leaf: bool) -> list[Link]:
        """Associations by their own ids."""
        return self.tied(linking.links(self.work, uuids, statuses, leaf=leaf))

    def seen(self, found: list[Found], limit: int = 0) -> list[Found]:
        """Those of some objects that may be seen; there may be more of them where ``limit`` was reached."""
        return found

    def tied(self, found: list[Link]) -> list[Link]:
        """Those of some Associations that may be seen."""
        return found
