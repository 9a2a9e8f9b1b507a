"""Holds the Registry's tables against each other; one page and what belongs to it are read in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from common.db import Database, Work
from console.checking.finding import DANGLING, OTHER_PATIENT, TWO_CONTENTS, TWO_ENDS, UNFILED, Finding, Findings
from console.checking.paging import entry_pages, link_pages
from registry.store import checking
from registry.store.checking import End, KeptEntry, KeptLink


def look(database: Database) -> Findings:
    """All that can be told without the documents' bytes."""
    for found in entry_pages(database, _of_entries):
        yield from found
    for found in link_pages(database, _of_links):
        yield from found


def _of_entries(work: Work, page: Sequence[KeptEntry]) -> list[Finding]:
    filed = checking.submitted(work, (kept.entry_uuid for kept in page))
    unfiled = [Finding(UNFILED, kept.entry_uuid) for kept in page if kept.entry_uuid not in filed]
    return [*unfiled, *_two_contents(work, page)]


def _two_contents(work: Work, page: Sequence[KeptEntry]) -> Findings:
    names = {kept.unique_id for kept in page}
    same = checking.entries_of(work, names)
    first = checking.contents_of(work, names)
    for kept in page:
        others = [other for other in same.get(kept.unique_id, []) if other.is_stable]
        contents = {(other.hash, other.size) for other in others}
        if kept.unique_id in first:
            contents.add(first[kept.unique_id])
        # Several entries share a uniqueId: the first of them tells it for all.
        if len(contents) > 1 and others and others[0].entry_uuid == kept.entry_uuid:
            yield Finding(TWO_CONTENTS, kept.unique_id, _listed(other.entry_uuid for other in others))


def _of_links(work: Work, page: Sequence[KeptLink]) -> list[Finding]:
    ends = checking.ends(work, {name for link in page for name in (link.source, link.target)})
    found: list[Finding] = []
    for link in page:
        found += _dangling(link, ends)
        found += _of_other_patient(link, ends)
    return [*found, *_two_ends(work, [link for link in page if link.replaces], ends)]


def _dangling(link: KeptLink, ends: dict[str, End]) -> Findings:
    lost = [f"{end} {name}" for end, name in (("source", link.source), ("target", link.target)) if name not in ends]
    if lost:
        yield Finding(DANGLING, link.entry_uuid, ", ".join(lost))


def _of_other_patient(link: KeptLink, ends: dict[str, End]) -> Findings:
    source, target = ends.get(link.source), ends.get(link.target)
    if not (link.is_membership and source and target) or source.kind != "folder" or target.kind != "entry":
        return
    if source.patient_id != target.patient_id:
        yield Finding(OTHER_PATIENT, link.source, f"document {link.target}")


def _two_ends(work: Work, links: Sequence[KeptLink], ends: dict[str, End]) -> Findings:
    """Only a fork, and what is current although it was replaced, can lead to two current versions."""
    successors = checking.replacing(work, {link.target for link in links})
    for link in links:
        sources = successors.get(link.target, set())
        target = ends.get(link.target)
        doubtful = len(sources) > 1 or (target is not None and target.is_current)
        # Several replacements of one document: that with the least source tells it for all.
        if doubtful and link.source == min(sources):
            current = _current_versions(work, link.target)
            if len(current) > 1:
                yield Finding(TWO_ENDS, link.target, _listed(current))


def _current_versions(work: Work, name: str) -> set[str]:
    """The Approved ones of a document and all that replaced it, however far down."""
    seen = {name}
    layer = {name}
    while layer:
        layer = {source for sources in checking.replacing(work, layer).values() for source in sources} - seen
        seen |= layer
    return {each for each, end in checking.ends(work, seen).items() if end.is_current}


def _listed(names: object) -> str:
    return ", ".join(sorted(names))  # type: ignore[call-overload]
