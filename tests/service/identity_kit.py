"""Speaks to a running cross-reference service as foreign systems would: MLLP, and HL7 v3 over SOAP, by hand."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import requests

from common.standard.transactions import (
    ITI_45,
    ITI_47,
    ITI_47_CANCEL,
    ITI_47_CONTINUE,
    Transaction,
)
from tests.factories import AUTHORITY
from tests.feeds import Acknowledged, Pas, a_pas, adt
from tests.service.test_iti44_feed import ii
from tests.wire import Answer, answer, envelope

V3 = {"v3": "urn:hl7-org:v3"}
NGH, GP, LAB = "2.999.826.4.1", "2.999.826.4.2", "2.999.826.4.3"
_serial = itertools.count(1)


def mrn(domain: str = NGH) -> str:
    """A local identifier that nobody has yet."""
    return f"L{uuid.uuid4().hex[:10]}{next(_serial)}^^^&{domain}&ISO"


def a_pid(*ids: str, name: str = "FENWICK^MAUD^^^MRS", birth: str = "19420317", sex: str = "F", rest: str = "") -> str:
    """A PID of these ids; ``rest`` begins with PID-9."""
    return f"PID|||{'~'.join(ids)}||{name}||{birth}|{sex}{rest}"


@dataclass(frozen=True, slots=True)
class PatientAnswer:
    """An answer to a query, taken apart."""

    answer: Answer

    def _get(self, path: str, attribute: str = "code") -> str:
        found = self.answer.body.find(path, V3)
        return "" if found is None else found.get(attribute, "")

    @property
    def codes(self) -> tuple[str, str]:
        """Of the acknowledgement, and of the query."""
        return (
            self._get("v3:acknowledgement/v3:typeCode"),
            self._get("v3:controlActProcess/v3:queryAck/v3:queryResponseCode"),
        )

    @property
    def detail(self) -> tuple[str, str]:
        """The condition's code, and where."""
        path = "v3:acknowledgement/v3:acknowledgementDetail"
        return self._get(f"{path}/v3:code"), self.answer.body.findtext(f"{path}/v3:location", "", V3)

    @property
    def patients(self) -> list[list[str]]:
        """The ids of each person, as CX."""
        found = self.answer.body.iterfind(".//v3:subject1/v3:patient", V3)
        return [
            [f"{each.get('extension')}^^^&{each.get('root')}&ISO" for each in patient.iterfind("v3:id", V3)]
            for patient in found
        ]

    @property
    def ids(self) -> set[str]:
        """All ids."""
        return {each for patient in self.patients for each in patient}

    def counts(self) -> tuple[int, int, int]:
        """Total, current and remaining."""
        path = "v3:controlActProcess/v3:queryAck/v3:result{}Quantity"
        total, current, remaining = (
            int(self._get(path.format(name), "value") or -1) for name in ("Total", "Current", "Remaining")
        )
        return total, current, remaining


def _message(transaction: Transaction, control: str) -> bytes:
    name = transaction.root.rpartition("}")[2]
    device = '<device classCode="DEV" determinerCode="INSTANCE"><id root="2.999.826.5.{}"/></device>'
    return (
        f'<{name} xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0"><id root="2.999.6.1" extension="{uuid.uuid4()}"/>'
        '<creationTime value="20260306093000"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{name}"/><processingCode code="T"/>'
        '<processingModeCode code="T"/><acceptAckCode code="AL"/>'
        f'<receiver typeCode="RCV">{device.format(2)}</receiver><sender typeCode="SND">{device.format(1)}</sender>'
        f'<controlActProcess classCode="CACT" moodCode="EVN">{control}</controlActProcess></{name}>'
    ).encode()


def _query(parameters: str, query_id: str, quantity: int | None) -> str:
    first = f'<initialQuantity value="{quantity}"/>' if quantity is not None else ""
    return (
        f'<queryByParameter><queryId root="2.999.6.2" extension="{query_id}"/><statusCode code="new"/>'
        f'<responseModalityCode code="R"/><responsePriorityCode code="I"/>{first}'
        f"<parameterList>{parameters}</parameterList></queryByParameter>"
    )


def pix_query(patient: str, *domains: str) -> bytes:
    """PRPA_IN201309UV02."""
    sources = "".join(
        f'<dataSource><value root="{each}"/><semanticsText>DataSource.id</semanticsText></dataSource>'
        for each in domains
    )
    who = ii(patient).replace("<id ", "<value ")
    asked = f"<patientIdentifier>{who}<semanticsText>Patient.id</semanticsText></patientIdentifier>"
    query = _query(f"{sources}{asked}", "45", None)
    return _message(ITI_45, query.replace('<responseModalityCode code="R"/>', ""))


def a_parameter(name: str, *values: str) -> str:
    """One element of a parameterList."""
    return f"<{name}>{''.join(values)}<semanticsText>{name}</semanticsText></{name}>"


def by_name(family: str = "", *given: str) -> str:
    """livingSubjectName."""
    parts = [f"<given>{escape(each)}</given>" for each in given]
    parts += [f"<family>{escape(family)}</family>"] if family else []
    return a_parameter("livingSubjectName", f"<value>{''.join(parts)}</value>")


def by_birth(value: str) -> str:
    """livingSubjectBirthTime."""
    return a_parameter("livingSubjectBirthTime", f"<value value={quoteattr(value)}/>")


def by_sex(code: str) -> str:
    """livingSubjectAdministrativeGender."""
    return a_parameter("livingSubjectAdministrativeGender", f"<value code={quoteattr(code)}/>")


def by_id(patient: str) -> str:
    """livingSubjectId."""
    return a_parameter("livingSubjectId", ii(patient).replace("<id ", "<value "))


def by_address(**parts: str) -> str:
    """patientAddress."""
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts.items())
    return a_parameter("patientAddress", f"<value>{inner}</value>")


def scoped(*domains: str) -> str:
    """otherIDsScopingOrganization."""
    return "".join(a_parameter("otherIDsScopingOrganization", f'<value root="{each}"/>') for each in domains)


def pdq_query(*parameters: str, query_id: str = "", quantity: int | None = None) -> bytes:
    """PRPA_IN201305UV02."""
    return _message(ITI_47, _query("".join(parameters), query_id or uuid.uuid4().hex, quantity))


def continuation(
    query_id: str, *, quantity: int | None = None, start: int | None = None, cancel: bool = False
) -> bytes:
    """QUQI_IN000003UV01."""
    parts = [f'<startResultNumber value="{start}"/>'] if start is not None else []
    parts += [f'<continuationQuantity value="{quantity}"/>'] if quantity is not None else []
    status = "aborted" if cancel else "waitContinuedQueryResponse"
    control = (
        f'<queryContinuation><queryId root="2.999.6.2" extension="{query_id}"/>{"".join(parts)}'
        f'<statusCode code="{status}"/></queryContinuation>'
    )
    return _message(ITI_47_CANCEL if cancel else ITI_47_CONTINUE, control)


@dataclass(frozen=True, slots=True)
class Identity:
    """A running service."""

    url: str
    mllp: int

    def post(self, transaction: Transaction, body: bytes) -> Answer:
        """A message and its answer."""
        data = envelope(transaction, body)
        headers = {"Content-Type": f'application/soap+xml; charset=UTF-8; action="{transaction.action}"'}
        return answer(requests.post(self.url, data=data, headers=headers, timeout=60))

    def ask(self, transaction: Transaction, body: bytes) -> PatientAnswer:
        """A query and its answer."""
        return PatientAnswer(self.post(transaction, body))

    def pix(self, patient: str, *domains: str) -> PatientAnswer:
        """ITI-45."""
        return self.ask(ITI_45, pix_query(patient, *domains))

    def pdq(self, *parameters: str, query_id: str = "", quantity: int | None = None) -> PatientAnswer:
        """ITI-47."""
        return self.ask(ITI_47, pdq_query(*parameters, query_id=query_id, quantity=quantity))

    @contextmanager
    def pas(self) -> Iterator[Pas]:
        """A connection for feeds."""
        with a_pas(self.mllp) as made:
            yield made

    def tell(self, *ids: str, event: str = "A01", control: str | None = None, **pid: str) -> Acknowledged:
        """A01, A04, A05 or A08."""
        with self.pas() as made:
            return made.send(adt(event, a_pid(*ids, **pid), "PV1||I", control=control))

    def merge(self, prior: str, *ids: str, control: str | None = None) -> Acknowledged:
        """A40."""
        with self.pas() as made:
            return made.send(adt("A40", a_pid(*ids), f"MRG|{prior}", control=control))


NHS = AUTHORITY
