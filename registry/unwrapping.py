"""Taking documents out whole: all that has to be listed in one ITI-62 so that nothing is left dangling."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol


class Link(Protocol):
    """An Association, as far as unwrapping looks at it."""

    @property
    def entry_uuid(self) -> str:
        """Its id."""
        ...

    @property
    def is_membership(self) -> bool:
        """Whether it is a HasMember."""
        ...

    @property
    def source(self) -> str:
        """The id it goes out from."""
        ...

    @property
    def target(self) -> str:
        """The id it leads to."""
        ...


def unwrap(entries: Iterable[str], links_at: Callable[[set[str]], Iterable[Link]]) -> set[str]:
    """The entries, every Association at them, and the SubmissionSets and Folders that would be left empty.

    ``links_at`` gives all Associations, of any status, with an end among some ids.
    """
    going, asked = set(entries), set[str]()
    known: dict[str, Link] = {}
    while True:
        holders = {link.source for link in known.values() if link.is_membership and link.entry_uuid in going}
        if unseen := (going | holders) - asked:
            known.update((link.entry_uuid, link) for link in links_at(unseen))
            asked |= unseen
        before = len(going)
        going |= {link.entry_uuid for link in known.values() if link.source in going or link.target in going}
        holding = {link.source for link in known.values() if link.is_membership and link.entry_uuid not in going}
        going |= (holders & asked) - holding
        if len(going) == before and not unseen:
            return going
