"""Which files are meant, and what is known of each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.model import DocumentEntry, SubmissionSet
from console.letters.cda_header import CdaError, read_header
from console.metadata.entry import Domain, build, usual
from console.metadata.values import MetadataError, Values, from_cda, layered, read_file

_SIDECARS: Final = (".toml", ".json")
_PIECE: Final = 1024 * 1024
_MOST_CDA: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Letter:
    """A file that is ready to be submitted; `sha1` in hex."""

    file: Path
    entry: DocumentEntry
    submission_set: SubmissionSet
    sha1: str
    size: int

    @property
    def unique_id(self) -> str:
        """Its uniqueId."""
        return self.entry.unique_id or ""


def meant(given: Sequence[Path]) -> list[Path]:
    """The files, those in folders included, each once; sidecars and hidden files are not documents."""
    found: dict[Path, None] = {}
    for path in given:
        for file in _within(path) if path.is_dir() else [path]:
            found.setdefault(file)
    return list(found)


def _within(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and not is_sidecar(file):
            yield file


def is_sidecar(file: Path) -> bool:
    """Whether it describes another file: `letter.pdf.toml` beside `letter.pdf`."""
    return file.suffix in _SIDECARS and file.with_suffix("").is_file()


def sidecar(file: Path) -> Path | None:
    """The file that describes this one."""
    candidates = (file.with_name(file.name + suffix) for suffix in _SIDECARS)
    return next((path for path in candidates if path.is_file()), None)


def described(file: Path, options: Values, defaults: Values, domain: Domain) -> Letter:
    """A file with its metadata; MetadataError with everything that is missing or wrong."""
    try:
        sha256, sha1, size, head = _digests(file)
        beside = sidecar(file)
        layers = (options, read_file(beside) if beside else {}, _from_header(head), defaults, usual(file))
    except OSError as error:
        raise MetadataError([f"The file cannot be read: {error.strerror}."]) from error
    if size == 0:
        raise MetadataError(["The file is empty."])
    entry, submission_set = build(layered(*layers), domain, sha256)
    return Letter(file, entry, submission_set, sha1, size)


def _digests(file: Path) -> tuple[str, str, int, bytes]:
    """SHA-256, SHA-1, size, and the content of what may be a CDA document."""
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    size, kept = 0, bytearray()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            sha256.update(piece)
            sha1.update(piece)
            size += len(piece)
            if size <= _MOST_CDA and (kept or _looks_like_xml(piece)):
                kept += piece
    return sha256.hexdigest(), sha1.hexdigest(), size, bytes(kept)


def _looks_like_xml(begin: bytes) -> bool:
    return begin.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<")


def _from_header(content: bytes) -> Values:
    """What a CDA document says of itself; nothing for other files."""
    if b"ClinicalDocument" not in content[:_PIECE].replace(b"\0", b""):
        return {}
    try:
        return from_cda(read_header(content))
    except CdaError as error:
        raise MetadataError([str(error)]) from error
