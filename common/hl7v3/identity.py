"""Patient identity messages of HL7 v3 read, and their acknowledgement written (ITI TF-2 3.44, appendix O)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common.demographics import UNKNOWN, Demographics
from common.hl7v3.demographics import read_person
from common.hl7v3.wrapper import (
    Detail,
    Element,
    Id,
    Wrapper,
    acknowledged,
    answer_to,
    first,
    read_ids,
    read_wrapper,
    written,
)

ACKNOWLEDGEMENT: Final = "MCCI_IN000002UV01"
_SUBJECT: Final = ("controlActProcess", "subject", "registrationEvent", "subject1", "patient")
_OTHERS: Final = (*_SUBJECT, "patientPerson", "asOtherIDs", "id")
_PRIOR: Final = (
    "controlActProcess", "subject", "registrationEvent", "replacementOf", "priorRegistration", "subject1",
    "priorRegisteredRole", "id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IdentityMessage:
    """What is looked at of PRPA_IN201301UV02, 302 and 304."""

    wrapper: Wrapper
    patients: tuple[Id, ...] = ()
    prior: tuple[Id, ...] = ()
    others: tuple[Id, ...] = ()
    person: Demographics = UNKNOWN

    @property
    def id(self) -> Id:
        """The message's id."""
        return self.wrapper.id

    @property
    def sender(self) -> Id:
        """Who sent it."""
        return self.wrapper.sender


def read_identity(root: Element) -> IdentityMessage:
    """A message by its root element; what is missing is empty."""
    person = first(root, *_SUBJECT, "patientPerson")
    return IdentityMessage(
        wrapper=read_wrapper(root),
        patients=read_ids(root, (*_SUBJECT, "id")),
        prior=read_ids(root, _PRIOR),
        others=read_ids(root, _OTHERS),
        person=UNKNOWN if person is None else read_person(person),
    )


def write_acknowledgement(message: Wrapper, *, own_id: Id, now: str, detail: Detail | None = None) -> bytes:
    """MCCI_IN000002UV01: commit accept, or commit error with its reason; ``now`` is a DTM."""
    content = acknowledged(message, "CE" if detail else "CA", detail)
    return written(ACKNOWLEDGEMENT, answer_to(message), content, own_id=own_id, now=now)
