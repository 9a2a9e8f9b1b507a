"""What can be found, each kind a row: what it means and what is to be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding; what is no difference belongs to normal work and leaves the exit code alone."""

    name: str
    means: str
    advice: str
    is_difference: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found; `detail` is what differs from finding to finding, `repaired` what was done about it."""

    kind: Kind
    id: str
    detail: str = ""
    repaired: str = ""

    @property
    def remains(self) -> bool:
        """Whether it is a difference that is still there."""
        return self.kind.is_difference and not self.repaired


Findings = Iterator[Finding]

WITHOUT_BYTES: Final = Kind(
    "entry-without-bytes",
    "the document is registered here, and its bytes are not in the store",
    "Restore the bytes from a backup, or ask the source to send the document again.",
)
REMOVED: Final = Kind(
    "entry-of-removed",
    "the document was removed for good (ITI-86), and its entry is still registered",
    "Remove the metadata too: `portolan remove --metadata-only`.",
)
AWAITING: Final = Kind(
    "bytes-unregistered",
    "the metadata was removed (ITI-62), and the bytes are still here",
    "Remove the bytes too by ITI-86, unless they are under a legal hold; --repair leaves them alone.",
    is_difference=False,
)
DIFFERS: Final = Kind(
    "bytes-differ",
    "hash or size of the stored bytes are not those of the entry",
    "Restore the right bytes from a backup; until then nobody is given the wrong ones.",
)
DAMAGED: Final = Kind(
    "bytes-damaged",
    "the stored bytes cannot be read, or are not those that were acknowledged",
    "Restore this document from a backup; look at the disk or the object store.",
)
WITHOUT_ENTRY: Final = Kind(
    "bytes-without-entry",
    "no entry points at these bytes, and no mark says that one may come",
    "After a restore of an older database have the sources send again; then --repair removes what is left.",
)
ELSEWHERE: Final = Kind(
    "entry-elsewhere",
    "the bytes are here, and their entry names another repositoryUniqueId",
    "See that PORTOLAN_REPOSITORY_UID is right; --repair leaves these bytes alone.",
)
UNREADABLE: Final = Kind(
    "unreadable",
    "something is stored that does not say which document it is",
    "If an entry is reported with it, restore that document; else look at it and remove it by hand.",
)
MARK: Final = Kind(
    "mark",
    "a registration is under way, or was cut off lately",
    "Nothing: the Repository settles it.",
    is_difference=False,
)
OLD_MARK: Final = Kind(
    "mark-old",
    "bytes are marked for longer than the sweeper should leave them",
    "See that a Repository runs and reaches the Registry, or use --repair.",
)
TWO_CONTENTS: Final = Kind(
    "two-contents",
    "one uniqueId is registered with two contents",
    "Find out from the source which is right, and have the other one deprecated.",
)
TWO_ENDS: Final = Kind(
    "two-current",
    "a replaced document has more than one current version",
    "Find out from the source which is current, and have the others deprecated.",
)
DANGLING: Final = Kind(
    "association-dangling",
    "an Association leads to an object that is not registered",
    "Restore the database from a backup that is whole; report it if there was no restore.",
)
UNFILED: Final = Kind(
    "entry-unfiled",
    "a DocumentEntry is in no SubmissionSet",
    "Restore the database from a backup that is whole; report it if there was no restore.",
)
OTHER_PATIENT: Final = Kind(
    "folder-patient",
    "a Folder holds the document of another patient",
    "Tell the clinical safety officer; have the document taken out of the Folder.",
)

KINDS: Final = (
    WITHOUT_BYTES, REMOVED, DIFFERS, DAMAGED, WITHOUT_ENTRY, AWAITING, ELSEWHERE, UNREADABLE, MARK, OLD_MARK,
    TWO_CONTENTS, TWO_ENDS, DANGLING, UNFILED, OTHER_PATIENT,
)  # fmt: skip
