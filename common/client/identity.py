"""What a Python user asks a cross-reference service: the ids of a patient, and patients by what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from common.client.channel import Tls
from common.client.connections import Connections
from common.client.errors import ClientError, FaultReceived, NoAnswer
from common.client.soap import SoapClient
from common.clock import utc_now
from common.closing import Closing
from common.demographics import Demographics, PersonName
from common.hl7.identifiers import Identifier, parse_cx
from common.hl7v3.asking import Answer, read_answer, write_pdq_query, write_pix_query
from common.hl7v3.wrapper import Id, Wrapper, own_id
from common.soap.faults import SoapFault
from common.soap.xml import XmlLimits
from common.standard.identifiers import NHS_NUMBER
from common.standard.transactions import ITI_45, ITI_47, Transaction

_MOST_ANSWER: Final = 16 * 2**20
_UNKNOWN: Final = "204"
_DEVICE: Final = "2.999.826.9.1"
"""Who asks, where nobody says otherwise: an OID of the arc for examples."""


class PatientQueryRefused(ClientError):  # noqa: N818
    """The query was not answered; ``code`` is of HL7 table 0357."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason or f"the query was refused ({answer.code or 'no reason was given'})")
        self.code, self.location = answer.code, answer.location


@dataclass(frozen=True, slots=True)
class FoundPatient:
    """A patient who matches."""

    identifiers: tuple[Identifier, ...]
    person: Demographics


class PatientIdentity(Closing):
    """A PIXv3 and PDQv3 consumer (ITI-45, ITI-47), for use by any thread."""

    def __init__(
        self,
        url: str,
        *,
        authority: str = NHS_NUMBER,
        device: str = _DEVICE,
        receiver: str = _DEVICE,
        connect_timeout: float = 2.0,
        answer_timeout: float = 30.0,
        tls: Tls | None = None,
    ) -> None:
        """``authority`` is the OID of NHS Numbers; ``device`` and ``receiver`` are the OIDs of who asks whom."""
        self._authority = authority
        self._wrapper = Wrapper(Id(""), "P", sender=Id(device), receiver=Id(receiver))
        connections = Connections(
            url, connect_timeout=connect_timeout, answer_timeout=answer_timeout, max_answer=_MOST_ANSWER, tls=tls
        )
        self._soap = SoapClient(url, connections, XmlLimits(max_bytes=_MOST_ANSWER, max_elements=1_000_000))

    def nhs_number_of(self, patient_id: str) -> Identifier | None:
        """The NHS Number to a local id (a CX as XDS writes it); None where none is known.

        Raises PatientQueryRefused, NotReached, NoAnswer, FaultReceived, and ValueError for what is no patient id.
        """
        try:
            found = self.identifiers_of(patient_id, domains=(self._authority,))
        except PatientQueryRefused as refused:
            if refused.code == _UNKNOWN:
                return None
            raise
        return found[0] if found else None

    def identifiers_of(self, patient_id: str, *, domains: Sequence[str] = ()) -> list[Identifier]:
        """The other ids of a patient, in some domains (OIDs) or in all; raises as ``nhs_number_of``."""
        asked = parse_cx(patient_id)
        made, now = own_id(), utc_now()
        body = write_pix_query(Id(asked.oid, asked.id), domains, wrapper=self._wrapper, own_id=made, now=now)
        answer = self._asked(ITI_45, body)
        return [_identifier(each) for found in answer.found for each in found.ids]

    def find(
        self,
        *,
        family: str = "",
        given: Sequence[str] = (),
        birth: str = "",
        sex: str = "",
        patient_id: str = "",
    ) -> list[FoundPatient]:
        """Patients of whom all that is given is known; raises as ``nhs_number_of``.

        ``birth`` is a DTM to any precision, as 19420317, and ``sex`` is M, F or UN.
        """
        asked = parse_cx(patient_id) if patient_id else None
        body = write_pdq_query(
            name=PersonName(family, tuple(given)),
            birth=birth,
            sex=sex,
            patient=Id(asked.oid, asked.id) if asked else None,
            wrapper=self._wrapper,
            own_id=own_id(),
            now=utc_now(),
        )
        answer = self._asked(ITI_47, body)
        return [FoundPatient(tuple(_identifier(each) for each in one.ids), one.person) for one in answer.found]

    def _asked(self, transaction: Transaction, body: bytes) -> Answer:
        try:
            answer = read_answer(self._soap.call(transaction, body))
        except SoapFault as fault:
            code, subcode = str(fault.code), fault.subcode.local if fault.subcode else None
            raise FaultReceived(code, subcode, fault.reason) from fault
        if answer.response not in ("OK", "NF", "AE"):
            raise NoAnswer("what came back is no answer to a query for patients")
        if answer.response == "AE":
            raise PatientQueryRefused(answer)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._soap.close()


def _identifier(item: Id) -> Identifier:
    return Identifier(item.extension, oid=item.root)
