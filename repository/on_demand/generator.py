"""What makes on-demand documents: Python callables, found by their names among the installed entry points.

A package offers one under the group `portolan.on_demand`:

    [options.entry_points]
    portolan.on_demand =
        medication-list = ourpackage.lists:medication_list
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Protocol

from common.model import DocumentEntry

GROUP: Final = "portolan.on_demand"


@dataclass(frozen=True, slots=True)
class Order:
    """What a generator is given: the document's entry as it is registered now, its parameters, the time (UTC), and a
    way to ask the Registry for the patient's current stable documents."""

    entry: DocumentEntry
    parameters: Mapping[str, str]
    now: datetime
    documents: Callable[[], Sequence[DocumentEntry]]


@dataclass(frozen=True, slots=True)
class Generated:
    """A document as it is now."""

    content: bytes
    mime_type: str


class Generator(Protocol):
    """Makes a document; the same facts should give the same bytes, since every new content gets a new uniqueId."""

    def __call__(self, order: Order) -> Generated:
        """The document; whatever it raises is told as XDSRepositoryError, without detail."""
        ...


class NoSuchGenerator(LookupError):  # noqa: N818
    """No installed package offers a generator of this name."""


def installed() -> dict[str, EntryPoint]:
    """The generators that are installed, by their names."""
    return {each.name: each for each in entry_points(group=GROUP)}


@cache
def generator(name: str) -> Generator:
    """The generator of a name; NoSuchGenerator, and whatever its import raises."""
    found = installed().get(name)
    if found is None:
        raise NoSuchGenerator(f"no generator {name!r} is installed")
    made: Generator = found.load()
    return made
