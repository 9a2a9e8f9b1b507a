"""Unwrapping against a plain reading of the rules: what is left never dangles, and nothing is taken without need."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from registry.unwrapping import unwrap


@dataclass(frozen=True)
class Link:
    entry_uuid: str
    source: str
    target: str
    is_membership: bool


@st.composite
def registries(draw: st.DrawFn) -> tuple[list[str], list[str], list[str], dict[str, Link]]:
    """Entries, SubmissionSets, Folders, and Associations; whatever has to be is in some SubmissionSet."""
    count = draw(st.integers(1, 5))
    entries = [f"e{number}" for number in range(count)]
    sets = [f"s{number}" for number in range(draw(st.integers(1, 3)))]
    folders = [f"f{number}" for number in range(draw(st.integers(0, 2)))]
    links: dict[str, Link] = {}

    def add(source: str, target: str, *, membership: bool) -> str:
        name = f"l{len(links)}"
        links[name] = Link(name, source, target, membership)
        return name

    for each in (*entries, *folders):
        for owner in draw(st.sets(st.sampled_from(sets), min_size=1)):
            add(owner, each, membership=True)
    for folder in folders:
        for each in draw(st.sets(st.sampled_from(entries))):
            add(draw(st.sampled_from(sets)), add(folder, each, membership=True), membership=True)
    for one, other in draw(st.lists(st.tuples(st.sampled_from(entries), st.sampled_from(entries)), max_size=4)):
        if one != other:
            add(one, other, membership=False)
    return entries, sets, folders, links


@given(registries(), st.data())
def test_what_is_left_is_whole(
    registry: tuple[list[str], list[str], list[str], dict[str, Link]], data: st.DataObject
) -> None:
    entries, sets, folders, links = registry
    chosen = data.draw(st.sets(st.sampled_from(entries), min_size=1))

    going = unwrap(
        chosen, lambda names: [link for link in links.values() if link.source in names or link.target in names]
    )

    assert going & set(entries) == chosen
    staying = [link for name, link in links.items() if name not in going]
    for link in staying:
        assert link.source not in going
        assert link.target not in going
    full = {link.source for link in staying if link.is_membership}
    for holder in (*sets, *folders):
        was_full = any(link.source == holder and link.is_membership for link in links.values())
        if holder in going:
            assert was_full
            assert holder not in full
    filed = {link.target for link in staying if link.source in sets}
    for each in {*entries, *folders, *(name for name, link in links.items() if link.source in folders)} - going:
        assert each in filed
    for owner in set(sets) - going:
        assert owner in full or not any(link.source == owner for link in links.values())
