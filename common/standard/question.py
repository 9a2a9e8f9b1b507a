"""A stored query that may be asked: what is left of a request once every value has been checked."""

from __future__ import annotations

from dataclasses import dataclass

from common.standard.queries import Match, Parameter, StoredQuery

Groups = tuple[tuple[str, ...], ...]
"""Values of one parameter: every group must match (AND), any value within a group will do (OR)."""


@dataclass(frozen=True, slots=True)
class Question:
    """A stored query that may be answered."""

    query: StoredQuery
    leaf: bool
    criteria: tuple[tuple[Parameter, Groups], ...]
    level: int = 1

    def values(self, match: Match) -> tuple[str, ...]:
        """All values given for the parameters that match in one way."""
        return tuple(value for row, groups in self.criteria if row.match is match for part in groups for value in part)

    def given(self, name: str) -> tuple[str, ...]:
        """All values of one parameter; none if it was not given."""
        return tuple(value for row, groups in self.criteria if row.name == name for part in groups for value in part)

    def about(self, kind: type) -> tuple[tuple[Parameter, Groups], ...]:
        """The criteria on one kind of object."""
        return tuple((row, groups) for row, groups in self.criteria if row.of is kind)
