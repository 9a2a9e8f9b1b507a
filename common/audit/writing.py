"""An AuditMessage as XML, spliced from text: there is one for every request, and none may cost much.

Whatever a value holds, what is written is well-formed: what XML cannot hold is replaced, and queries and details are
base64 (DICOM PS3.15 A.5.1).
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from typing import Final

from common.audit.message import DCM, AuditMessage, Code, Participant, Source, Subject, network_kind
from common.soap.text import escape

_SHORT: Final = 200
LONGEST: Final = 2000
"""Characters of one value: whoever sent a longer one sent it to do harm."""


_KINDS: Final = {"1": "End-user interface", "4": "Application server process"}


def value(text: str) -> str:
    """As it stands in an attribute or an element."""
    return _known(text) if len(text) < _SHORT else escape(text[:LONGEST])


_known = lru_cache(maxsize=4096)(escape)


def _coded(tag: str, code: Code) -> str:
    if not code.xml:
        display = f' displayName="{value(code.display)}"' if code.display else ""
        code.xml = (
            f'csd-code="{value(code.code)}" codeSystemName="{value(code.system)}"{display} '
            f'originalText="{value(code.text)}"'
        )
    return f"<{tag} {code.xml}/>"


def _participant(one: Participant) -> str:
    if not one.xml:
        one.xml = _participant_anew(one)
    return one.xml


def _participant_anew(one: Participant) -> str:
    more = ""
    if one.alternative_id:
        more += f' AlternativeUserID="{value(one.alternative_id)}"'
    if one.name:
        more += f' UserName="{value(one.name)}"'
    more += f' UserIsRequestor="{"true" if one.is_requestor else "false"}"'
    if one.network:
        kind = network_kind(one.network)
        more += f' NetworkAccessPointID="{value(one.network)}" NetworkAccessPointTypeCode="{kind}"'
    roles = "".join(_coded("RoleIDCode", role) for role in one.roles)
    return f'<ActiveParticipant UserID="{value(one.user_id)}"{more}>{roles}</ActiveParticipant>'


@lru_cache(maxsize=64)
def _source(source: Source) -> str:
    site = f' AuditEnterpriseSiteID="{value(source.site)}"' if source.site else ""
    kind = _coded("AuditSourceTypeCode", Code(source.kind, DCM, _KINDS[source.kind]))
    return f'<AuditSourceIdentification AuditSourceID="{value(source.id)}"{site}>{kind}</AuditSourceIdentification>'


def _subject(one: Subject) -> str:
    cycle = f' ParticipantObjectDataLifeCycle="{one.life_cycle}"' if one.life_cycle else ""
    query = f"<ParticipantObjectName>{value(one.name)}</ParticipantObjectName>" if one.name else ""
    if one.query is not None:
        query = f"<ParticipantObjectQuery>{query_value(one.query)}</ParticipantObjectQuery>"
    details = "".join(_detail(kind, text) for kind, text in one.details)
    return (
        f'<ParticipantObjectIdentification ParticipantObjectID="{value(one.id)}" '
        f'ParticipantObjectTypeCode="{one.type_code}" ParticipantObjectTypeCodeRole="{one.role}"{cycle}>'
        f"{_coded('ParticipantObjectIDTypeCode', one.id_type)}{query}{details}</ParticipantObjectIdentification>"
    )


@lru_cache(maxsize=128)
def _detail(kind: str, text: str) -> str:
    return f'<ParticipantObjectDetail type="{value(kind)}" value="{detail_value(text)}"/>'


def detail_value(text: str) -> str:
    """As it stands in a detail."""
    return b64encode(text[:LONGEST].encode("utf-8", "replace")).decode("ascii")


def query_value(query: bytes) -> str:
    """As it stands in a query."""
    return b64encode(query).decode("ascii")


def written(message: AuditMessage, at: str) -> str:
    """The XML of a record that was made at a time (xs:dateTime)."""
    subjects = "".join([_subject(each) for each in message.subjects])
    return f"{_begun(message.action, at, message.outcome)}{_middle(message)}{subjects}</AuditMessage>"


def _begun(action: str, at: str, outcome: int) -> str:
    return (
        f'<AuditMessage><EventIdentification EventActionCode="{action}" EventDateTime="{at}" '
        f'EventOutcomeIndicator="{outcome}">'
    )


def _middle(message: AuditMessage) -> str:
    types = "".join([_coded("EventTypeCode", code) for code in message.types])
    described = ""
    if message.description:
        described = f"<EventOutcomeDescription>{value(message.description)}</EventOutcomeDescription>"
    purposes = "".join([_coded("PurposeOfUse", code) for code in message.purposes]) if message.purposes else ""
    participants = "".join([_participant(each) for each in message.participants])
    return (
        f"{_coded('EventID', message.event)}{types}{described}{purposes}</EventIdentification>{participants}"
        f"{_source(message.source)}"
    )
