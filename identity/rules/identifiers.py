"""Which identifiers of a message count here, and what is wrong with them (ITI TF-2 3.8.4.1.2, 3.44.4.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from common.feeds.problem import Problem, Side
from common.hl7.refusals import Condition
from common.hl7.types import is_oid
from common.standard.identifiers import NHS_NUMBER
from common.standard.nhs import nhs_number_problem

LONGEST_ID: Final = 256


class Key(NamedTuple):
    """An identifier: who gave it, as an OID, and what it is."""

    root: str
    extension: str

    def cx(self) -> str:
        """As XDS writes it (ITI TF-3 Table 4.2.3.1.7-2)."""
        return f"{self.extension}^^^&{self.root}&ISO"


@dataclass(frozen=True, slots=True)
class Domain:
    """Whose ids are taken: ``national`` is the one domain of which a person has one id at most."""

    national: str
    namespaces: Mapping[str, str] = field(default_factory=dict)
    test_numbers: bool = True
    only_fed: bool = False

    def is_national(self, key: Key) -> bool:
        """Whether an id is the domain's, as NHS Numbers are."""
        return key.root == self.national

    def root_of(self, namespace: str, oid: str) -> str:
        """The OID of an authority, told by its OID or by a name that is known; empty when it is neither."""
        return oid if oid else self.namespaces.get(namespace, "")

    def problem(self, key: Key) -> str | None:
        """What is wrong with an id by itself."""
        if len(key.extension) > LONGEST_ID:
            return f"it has more than {LONGEST_ID} characters"
        if not is_oid(key.root):
            return "its assigning authority is no OID"
        if key.root == self.national == NHS_NUMBER:
            return nhs_number_problem(key.extension, test_numbers=self.test_numbers)
        return None


Rule = Callable[[tuple[Key, ...], Side, Domain], Problem | None]


def _an_id_is_of_a_known_authority(keys: tuple[Key, ...], side: Side, domain: Domain) -> Problem | None:
    if not keys:
        told = f"{side.value} needs an assigning authority, as an OID or by a name that is known here"
        return Problem(side, Condition.UNKNOWN_KEY, told)
    return None


def _every_id_is_right_by_itself(keys: tuple[Key, ...], side: Side, domain: Domain) -> Problem | None:
    for key in keys:
        if told := domain.problem(key):
            known = Condition.UNKNOWN_KEY if domain.is_national(key) else Condition.DATA_TYPE
            return Problem(side, known, f"{side.value} cannot be used: {told}")
    return None


_RULES: Final[tuple[Rule, ...]] = (_an_id_is_of_a_known_authority, _every_id_is_right_by_itself)


def unusable(keys: Iterable[Key], side: Side, domain: Domain) -> Problem | None:
    """The first thing that is wrong with the ids of one side."""
    taken = tuple(keys)
    return next((problem for rule in _RULES if (problem := rule(taken, side, domain))), None)
