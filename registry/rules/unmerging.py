"""When a merge of patients may be taken back: while nothing that came later depends on it (beyond the standard)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol


class Tie(Protocol):
    """An Association, and whether it goes from a SubmissionSet to a document."""

    @property
    def entry_uuid(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def is_inclusion(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Undoing:
    """What is known of a merge that is to be undone."""

    survivor_merged_away: bool
    moving: Collection[str]
    ties: Iterable[Tie]
    with_later_version: Collection[str]


def objections(undoing: Undoing) -> Iterator[str]:
    """Sentences, each with an object that stands in the way."""
    if undoing.survivor_merged_away:
        yield "the surviving patient was itself merged into another since: undo that merge first"
        return
    for name in sorted(undoing.with_later_version):
        yield f"{name} has got a new version since the merge, which would stay behind"
    for tie in undoing.ties:
        goes = [each in undoing.moving for each in (tie.entry_uuid, tie.source, tie.target)]
        # A SubmissionSet may include a document of another patient (ITI TF-3 4.2.2.1.1): that hinders nobody.
        if any(goes) and not all(goes) and not tie.is_inclusion:
            yield (
                f"the Association {tie.entry_uuid} joins {tie.source} and {tie.target}, and not all three would go back"
            )
