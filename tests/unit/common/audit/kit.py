"""Records for tests, and the official schema that they are held against where it is."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final

from lxml import etree

from common.audit.account import Account
from common.audit.auditor import Auditor
from common.audit.message import AuditMessage, Source
from common.audit.parties import Asker, Node
from common.audit.segments import Segment, segments
from common.audit.spool import Bounds, Spool, Sync
from common.audit.syslog import frames_in
from common.audit.writing import written
from common.xua import Caller, Coded

PATIENT: Final = "9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO"
OTHER: Final = "9990001014^^^&2.16.840.1.113883.2.1.4.1&ISO"
AT: Final = "2026-03-11T14:20:03.120000Z"
DOCTOR: Final = Caller(
    "555021935107",
    "https://id.northbeck.example",
    "_1",
    0.0,
    name="Dr Test",
    roles=(Coded("R8000", "2.999.826.7.1", "Clinical practitioner access role"),),
    purposes=(Coded("1", "1.0.14265.1", "Clinical care"),),
)
ASKER: Final = Asker("192.0.2.7", "CN=portal.example", "", DOCTOR)


def schema() -> etree.XMLSchema | None:
    """The official one, or None where it is not here."""
    for parent in Path(__file__).parents:
        found = parent / "shared/schemas/audit/dicom2017c.xsd"
        if found.exists():
            return etree.XMLSchema(etree.parse(found))
    return None


def element(message: AuditMessage) -> etree._Element:
    """As it is read again, and valid where that can be told."""
    made = etree.fromstring(written(message, AT).encode())
    official = schema()
    if official is not None:
        official.assertValid(made)
    return made


def an_auditor(folder: Path, *, refuses: bool = True, most: int = 1 << 30, sync: Sync = Sync.OS) -> Auditor:
    """Of a Registry."""
    node = Node("registry", "https://registry.example/registry", Source("registry", "ZT901"), "registry.example")
    return Auditor(node, Spool(folder, "registry", sync=sync, bounds=Bounds(most)), refuses=refuses)


def spooled(folder: Path) -> list[etree._Element]:
    """The records in a spool, in order, each valid where that can be told."""
    found = []
    official = schema()
    for path in segments(folder):
        segment = Segment(path)
        start = 0
        while True:
            piece = segment.read(start, 1 << 20)
            ends = frames_in(piece.data)
            for one, after in pairwise([*ends.starts, ends.end]):
                made = etree.fromstring(piece.data[one:after].partition(b" - ")[2])
                if official is not None:
                    official.assertValid(made)
                found.append(made)
            if piece.is_last or not piece.data:
                break
            start = piece.end
        segment.close()
    return found


def an_account(**values: object) -> Account:
    """Of a request about one patient."""
    account = Account(patients=[PATIENT])
    for name, value in values.items():
        setattr(account, name, value)
    return account
