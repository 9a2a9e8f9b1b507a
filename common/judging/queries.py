"""Stored queries that another service asks the Registry (ITI-18), JudgeAccess among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from common.access import Act, Who
from common.access.asking import ACT, CONCERNS, QUERY, UNIQUE_ID, Verdict, told
from common.audit.asking import Recorder
from common.audit.spool import SpoolFailed
from common.client.connections import Connections, NeighbourError
from common.client.soap import SoapClient
from common.ebxml import names as n
from common.ebxml.objects import Element
from common.ebxml.query import AdhocQuery, ReturnType, write_query
from common.ebxml.responses import UnreadableAnswerError, read_registry_response
from common.ebxml.verdicts import read_verdicts
from common.model import Status
from common.settings import Settings
from common.soap.faults import SoapFault
from common.soap.xml import XmlLimits
from common.standard.queries import BY_NAME
from common.standard.transactions import ITI_18
from common.tls import of_client

AT_ONCE: Final = 100


class RegistryUnclear(Exception):  # noqa: N818
    """The registry gave no clear answer; what it did is unknown."""


def client_of(settings: Settings) -> SoapClient:
    """What speaks to the Registry that settings name."""
    connections = Connections(
        settings.registry_url,
        connect_timeout=settings.connect_timeout,
        answer_timeout=settings.answer_timeout,
        max_answer=settings.max_metadata_bytes,
        tls=of_client(settings.tls_files),
    )
    return SoapClient(settings.registry_url, connections, XmlLimits(max_bytes=settings.max_metadata_bytes))


class Queries:
    """Asks one Registry; RegistryUnclear where it does not answer."""

    def __init__(self, client: SoapClient, recorder: Recorder | None = None) -> None:
        self._client = client
        self._recorder = recorder or Recorder(None, "")

    def verdicts(
        self, who: Who, act: Act, *, unique_ids: Sequence[str] = (), patients: Iterable[str] = ()
    ) -> list[Verdict]:
        """What the Registry says of an act, on documents where some are named (JudgeAccess); RegistryUnclear."""
        subject = {name: listed(values) for name, values in told(who)}
        subject[ACT] = listed([act.value])
        if concerned := sorted(patients):
            subject[CONCERNS] = listed(concerned)
        found: list[Verdict] = []
        for start in range(0, max(len(unique_ids), 1), AT_ONCE):
            part = unique_ids[start : start + AT_ONCE]
            more = {UNIQUE_ID: listed(part)} if part else {}
            found += read_verdicts(self.asked(QUERY, {**subject, **more}, ReturnType.OBJECT_REF))
        return found

    def asked(self, name: str, slots: dict[str, str], return_type: ReturnType) -> Element:
        """The objects that a stored query finds; RegistryUnclear."""
        given = tuple((slot, (value,)) for slot, value in slots.items())
        query = AdhocQuery(BY_NAME[name].id, return_type, given)
        try:
            with self._recorder.asking(ITI_18) as asking:
                written = write_query(query)
                asking.account.asks(query.id, written)
                asking.account.concerns(slots.get("$XDSDocumentEntryPatientId", "").strip("'").replace("''", "'"))
                body = self._client.call(ITI_18, written)
                response = read_registry_response(body)
                asking.answered(response)
        except (NeighbourError, SoapFault, UnreadableAnswerError, SpoolFailed) as error:
            raise RegistryUnclear(str(error)) from error
        objects = body.find(n.REGISTRY_OBJECT_LIST)
        if response.status is not Status.SUCCESS or objects is None:
            raise RegistryUnclear("the registry did not answer the query")
        return objects


def listed(values: Iterable[str]) -> str:
    """Several values of a parameter."""
    return "(" + ",".join(quoted(each)[1:-1] for each in values) + ")"


def quoted(value: str) -> str:
    """One value of a parameter that takes several."""
    return "('" + value.replace("'", "''") + "')"
