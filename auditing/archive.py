"""A stretch of the trail as a file of its own: records in their chain, and the signed checkpoints among them.

The file is lines of JSON, compressed: what it holds, each checkpoint, each record. It ends with a record of which a
checkpoint states the hash, so that with the public key alone it is known to be what it was.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from auditing.chain import GENESIS, Checkpoint, Witness, link

KIND: Final = "portolan audit archive 1"
_LONGEST: Final = 64 * 1024 * 1024
_BLOCK: Final = 1 << 20


class BadArchive(ValueError):  # noqa: N818
    """A file that is not what it says; the text says where."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records from one to another, the hash before the first of them, and that of the last."""

    first: int
    last: int
    before: bytes
    hash: bytes

    @property
    def file(self) -> str:
        """What its file is called."""
        return f"trail-{self.first:012}-{self.last:012}.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Archived:
    """A record in a file."""

    number: int
    received_at: int
    raw: bytes
    hash: bytes


def write(place: Path, stretch: Stretch, records: Iterable[Archived], points: Sequence[Checkpoint]) -> None:
    """The file, on disk when this returns; OSError where it cannot be, or is there already."""
    with place.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        with gzip.GzipFile("", "wb", 6, cast(BinaryIO, file), 0) as stream:
            for line in _lines(stretch, records, points):
                stream.write(json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def synced(folder: Path) -> None:
    """Names in a folder are on disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(stretch: Stretch, records: Iterable[Archived], points: Sequence[Checkpoint]) -> Iterator[dict[str, Any]]:
    yield {
        "archive": KIND,
        "first": stretch.first,
        "last": stretch.last,
        "before": stretch.before.hex(),
        "hash": stretch.hash.hex(),
    }
    for point in points:
        yield {"checkpoint": point.line()}
    for each in records:
        raw = base64.b64encode(each.raw).decode("ascii")
        yield {"record": each.number, "received_at": each.received_at, "hash": each.hash.hex(), "raw": raw}


def sha256_of(place: Path) -> str:
    """Of a file as it is; OSError."""
    digest = hashlib.sha256()
    with place.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def verify(place: Path, witness: Witness | None) -> Stretch:
    """What a file holds, whole and in its chain, with a checkpoint at its end; OSError, BadArchive.

    Without a ``witness`` no signature is judged.
    """
    lines = _read(place)
    head = next(lines, {})
    stretch = _stretch(head)
    number, hashed = stretch.first - 1, stretch.before
    points: dict[int, Checkpoint] = {}
    for line in lines:
        if "checkpoint" in line and number < stretch.first:
            point = _point(line["checkpoint"], witness)
            points[point.number] = point
            continue
        record = _record(line)
        number += 1
        hashed = link(hashed, number, record.received_at, record.raw)
        if record.number != number or record.hash != hashed:
            raise BadArchive(f"record {record.number} is not what it was, or not in its place")
        if number in points and points[number].hash != hashed:
            raise BadArchive(f"the checkpoint at record {number} has another hash")
    if (number, hashed) != (stretch.last, stretch.hash):
        raise BadArchive(f"it ends with record {number}, and not with {stretch.last} as it was")
    if not points or max(points) != stretch.last or min(points) < stretch.first:
        raise BadArchive("no checkpoint states its end")
    return stretch


def follow(stretches: Iterable[Stretch]) -> None:
    """Whether stretches join on to each other, from the first record on or not; BadArchive."""
    last: Stretch | None = None
    for each in sorted(stretches, key=lambda one: one.first):
        if each.first == 1 and each.before != GENESIS:
            raise BadArchive(f"{each.file} does not begin as a trail does")
        if last is not None and (each.first, each.before) != (last.last + 1, last.hash):
            raise BadArchive(f"{each.file} does not join on to {last.file}")
        last = each


def _read(place: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(place, "rb") as stream:
            while line := stream.readline(_LONGEST):
                yield _object(line)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadArchive("it is damaged, or no archive") from error


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadArchive("it is damaged, or no archive") from error
    if not line.endswith(b"\n") or not isinstance(told, dict):
        raise BadArchive("a line of it is cut off, or no object")
    return told


def _stretch(head: dict[str, Any]) -> Stretch:
    if head.get("archive") != KIND:
        raise BadArchive("it is no archive of an audit trail")
    try:
        found = Stretch(
            _whole(head["first"]), _whole(head["last"]), bytes.fromhex(head["before"]), bytes.fromhex(head["hash"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadArchive("its first line is not what it should be") from error
    if not 1 <= found.first <= found.last:
        raise BadArchive("it has no records")
    return found


def _record(line: dict[str, Any]) -> Archived:
    try:
        raw = base64.b64decode(line["raw"], validate=True)
        return Archived(_whole(line["record"]), _whole(line["received_at"]), raw, bytes.fromhex(line["hash"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadArchive("a line of it is no record") from error


def _whole(value: object) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("no number")
    return value


def _point(told: object, witness: Witness | None) -> Checkpoint:
    try:
        point = Checkpoint.of_line(str(told))
    except (ValueError, RecursionError) as error:
        raise BadArchive("a line of it is no checkpoint") from error
    if witness is not None and not witness.confirms(point):
        raise BadArchive(f"the checkpoint at record {point.number} is not signed by the key")
    return point
