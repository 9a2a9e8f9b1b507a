"""An AuditMessage as XML, spliced from text: there is one for every request, and none may cost much.

Whatever a value holds, what is written is well-formed: what XML cannot hold is replaced, and queries and details are
base64 (DICOM PS3.15 A.5.1).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from common.audit.message import DCM, AuditMessage, Code, Participant, Source, Subject, network_kind
from common.soap.text import escape

_SHORT: Final = 200
LONGEST: Final = 2000
"""Characters of one value: whoever sent a longer one sent it to do harm."""


_KINDS: Final = {"1": "End-user interface", "4": "Application server process"}


def _value(text: str) -> str:
    return _known(text) if len(text) < _SHORT else escape(text[:LONGEST])


_known = lru_cache(maxsize=4096)(escape)


def _coded(tag: str, code: Code) -> str:
    if not code.xml:
        display = f' displayName="{_value(code.display)}"' if code.display else ""
        code.xml = (
            f'csd-code="{_value(code.code)}" codeSystemName="{_value(code.system)}"{display} '
            f'originalText="{_value(code.text)}"'
        )
    return f"<{tag} {code.xml}/>"


def _participant(one: Participant) -> str:
    if not one.xml:
        one.xml = _participant_anew(one)
    return one.xml


def _participant_anew(one: Participant) -> str:
    more = ""
    if one.alternative_id:
        more += f' AlternativeUserID="{_value(one.alternative_id)}"'
    if one.name:
        more += f' UserName="{_value(one.name)}"'
    more += f' UserIsRequestor="{"true" if one.is_requestor else "false"}"'
    if one.network:
        kind = network_kind(one.network)
        more += f' NetworkAccessPointID="{_value(one.network)}" NetworkAccessPointTypeCode="{kind}"'
    roles = "".join(_coded("RoleIDCode", role) for role in one.roles)
    return f'<ActiveParticipant UserID="{_value(one.user_id)}"{more}>{roles}</ActiveParticipant>'


@lru_cache(maxsize=64)
def _source(source: Source) -> str:
    site = f' AuditEnterpriseSiteID="{_value(source.site)}"' if source.site else ""
    kind = _coded("AuditSourceTypeCode", Code(source.kind, DCM, _KINDS[source.kind]))
    return f'<AuditSourceIdentification AuditSourceID="{_value(source.id)}"{site}>{kind}</AuditSourceIdentification>'


def _subject(one: Subject) -> str:
    cycle = f' ParticipantObjectDataLifeCycle="{one.life_cycle}"' if one.life_cycle else ""
    query = f"<ParticipantObjectName>{_value(one.name)}</ParticipantObjectName>" if one.name else ""
    if one.query is not None:
        query = f"<ParticipantObjectQuery>{b64encode(one.query).decode('ascii')}</ParticipantObjectQuery>"
    details = "".join(_detail(kind, value) for kind, value in one.details)
    return (
        f'<ParticipantObjectIdentification ParticipantObjectID="{_value(one.id)}" '
        f'ParticipantObjectTypeCode="{one.type_code}" ParticipantObjectTypeCodeRole="{one.role}"{cycle}>'
        f"{_coded('ParticipantObjectIDTypeCode', one.id_type)}{query}{details}</ParticipantObjectIdentification>"
    )


@lru_cache(maxsize=128)
def _detail(kind: str, value: str) -> str:
    told = b64encode(value[:LONGEST].encode("utf-8", "replace")).decode("ascii")
    return f'<ParticipantObjectDetail type="{_value(kind)}" value="{told}"/>'


def written(message: AuditMessage, at: str) -> str:
    """The XML of a record that was made at a time (xs:dateTime)."""
    subjects = "".join([_subject(each) for each in message.subjects])
    return f"{_begun(message.action, at, message.outcome)}{middle(message)}{subjects}</AuditMessage>"


def written_around(known: str, action: str, at: str, subjects: Iterable[Subject]) -> str:
    """As ``written``, of a success whose ``middle`` is known already."""
    told = "".join([_subject(each) for each in subjects])
    return f"{_begun(action, at, 0)}{known}{told}</AuditMessage>"


def _begun(action: str, at: str, outcome: int) -> str:
    return (
        f'<AuditMessage><EventIdentification EventActionCode="{action}" EventDateTime="{at}" '
        f'EventOutcomeIndicator="{outcome}">'
    )


def middle(message: AuditMessage) -> str:
    """What does not depend on the time, nor on what was acted on: the same for all that one asks for in one way."""
    types = "".join([_coded("EventTypeCode", code) for code in message.types])
    described = ""
    if message.description:
        described = f"<EventOutcomeDescription>{_value(message.description)}</EventOutcomeDescription>"
    purposes = "".join([_coded("PurposeOfUse", code) for code in message.purposes]) if message.purposes else ""
    participants = "".join([_participant(each) for each in message.participants])
    return (
        f"{_coded('EventID', message.event)}{types}{described}{purposes}</EventIdentification>{participants}"
        f"{_source(message.source)}"
    )
