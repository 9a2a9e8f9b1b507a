"""Which identifiers are of one person: what a message links, and what a merge does (ITI TF-2 3.8.4.1.3, 3.8.4.2.4).

A person is a set of identifiers. Identifiers that one message gives to one patient are of one person. A person has at
most one current NHS Number, and nothing but a merge of two NHS Numbers brings two of them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from common.feeds.problem import Problem, Side
from common.hl7.refusals import Condition
from identity.rules.identifiers import Domain, Key


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some identifiers.

    ``persons`` has the person of every known identifier, current or subsumed; ``survivors`` whom the subsumed ones were
    merged into, and ``merged_by`` by which message; ``numbers`` the current NHS Number of each person that has one.
    """

    persons: Mapping[Key, str] = field(default_factory=dict)
    survivors: Mapping[Key, Key] = field(default_factory=dict)
    merged_by: Mapping[Key, str] = field(default_factory=dict)
    numbers: Mapping[str, Key] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Linking:
    """What a message links: all these are of one person, which is ``person``, or a new one where that is None."""

    person: str | None
    joining: tuple[str, ...]
    new: tuple[Key, ...]

    def learnt(self, domain: Domain) -> tuple[Key, ...]:
        """The NHS Numbers that nobody had told of before."""
        return tuple(key for key in self.new if domain.is_national(key))


@dataclass(frozen=True, slots=True)
class Merging:
    """What a merge does: all of a person joins another, or the identifier alone changes its person."""

    whole_person: bool


def linking(keys: Sequence[Key], known: Known, domain: Domain) -> Linking | Problem:
    """Identifiers of one message are of one person, if that has no more than one NHS Number."""
    persons = sorted({known.persons[key] for key in keys if key in known.persons})
    numbers = {known.numbers[person] for person in persons if person in known.numbers}
    numbers |= {key for key in keys if domain.is_national(key) and key not in known.persons}
    if len(numbers) > 1:
        return Problem(
            Side.SURVIVOR,
            Condition.DUPLICATE_KEY,
            "the ids are known, or told, with different NHS Numbers; nothing was changed, and an administrator is told",
            is_conflict=True,
        )
    numbered = [person for person in persons if person in known.numbers]
    target = next(iter(numbered or persons), None)
    new = tuple(dict.fromkeys(key for key in keys if key not in known.persons))
    return Linking(target, tuple(person for person in persons if person != target), new)


def pair(prior: Sequence[Key], keys: Sequence[Key]) -> tuple[Key, Key] | Problem:
    """The identifier that a merge subsumes, and the one of the same authority that survives it."""
    roots = {key.root: key for key in prior}
    differ = [key for key in dict.fromkeys(prior) if key not in keys]
    if len(roots) < len(set(prior)) or len(differ) > 1:
        return Problem(Side.SUBSUMED, Condition.DUPLICATE_KEY, "one message merges one patient into one other")
    if not differ:
        return Problem(Side.SUBSUMED, Condition.DUPLICATE_KEY, "a patient cannot be merged into itself")
    survivors = [key for key in dict.fromkeys(keys) if key.root == differ[0].root]
    if not survivors:
        told = "a merge needs two ids of one authority: the surviving patient has none of the subsumed id's"
        return Problem(Side.SURVIVOR, Condition.UNKNOWN_KEY, told)
    if len(survivors) > 1:
        told = "the surviving patient has several ids of the subsumed id's authority"
        return Problem(Side.SURVIVOR, Condition.DUPLICATE_KEY, told)
    return differ[0], survivors[0]


def is_repeated(subsumed: Key, survivor: Key, message_id: str, known: Known) -> bool:
    """Whether the merge that stands was this very message's."""
    return known.survivors.get(subsumed) == survivor and known.merged_by.get(subsumed) == message_id


def cannot_merge(subsumed: Key, survivor: Key, known: Known, domain: Domain) -> Problem | None:
    """Both are current; and one that no feed told of can only be an NHS Number, which needs no feed to be real."""
    for side, key in ((Side.SUBSUMED, subsumed), (Side.SURVIVOR, survivor)):
        if key in known.survivors:
            return Problem(side, Condition.UNKNOWN_KEY, f"{side.value} cannot be used: it was merged into another")
    if subsumed not in known.persons and (domain.only_fed or not domain.is_national(subsumed)):
        told = "the subsumed patient id is not known: no feed has told of it"
        return Problem(Side.SUBSUMED, Condition.UNKNOWN_KEY, told)
    return None


def merging(subsumed: Key, survivor: Key, known: Known, domain: Domain) -> Merging:
    """How much a merge moves, for two current identifiers of known persons.

    What the subsumed identifier was of the survivor's person is, too. But where both persons have NHS Numbers that
    differ, a hospital's merge of its own two records does not say that two NHS Numbers are one: only its own
    identifier moves. Their own authority's merge does say so.
    """
    first, second = (known.numbers.get(known.persons[key]) for key in (subsumed, survivor))
    differ = first is not None and second is not None and first != second
    return Merging(whole_person=domain.is_national(subsumed) or not differ)
