"""What is kept for access decisions, kind by kind: the fields of each, and which values they take.

Tables, commands, files and the journal read the same rows; one more kind is one more row and one more table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from common.access import names
from common.access.policy import CARE_SETTINGS
from common.access.values import MEANINGS

LONGEST: Final = 4096
_NHS_NUMBER: Final = "2.16.840.1.113883.2.1.4.1"
Check = Callable[[str], str]


class WrongValue(ValueError):  # noqa: N818
    """Why a value cannot be taken, in words that go on from the field's name."""


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a record; ``made`` gives the form in which it is kept, or raises WrongValue.

    ``many``: several, which files separate by spaces.
    """

    name: str
    told: str
    made: Check = str
    required: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record; ``key`` names one, and is made up where it is not told and ``makes_key``."""

    name: str
    one: str
    key: str
    fields: tuple[Field, ...]
    makes_key: bool = False

    def field(self, name: str) -> Field:
        """By its name."""
        return next(field for field in self.fields if field.name == name)


def _free(value: str) -> str:
    return value


def _word(value: str) -> str:
    if not value.isprintable() or " " in value:
        raise WrongValue("takes no spaces")
    return value


def _day(value: str) -> str:
    """A day, or a time in UTC, as DTM to the second."""
    digits = re.sub(r"[-:T ]", "", value.removesuffix("Z"))
    for form in ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S"):
        try:
            if len(digits) == len(datetime(2000, 1, 1).strftime(form)) and digits.isascii():
                return datetime.strptime(digits, form).strftime("%Y%m%d%H%M%S").zfill(14)
        except ValueError:
            continue
    raise WrongValue("is a day, YYYY-MM-DD, or a time in UTC, YYYY-MM-DDTHH:MM:SS")


def _organisation(value: str) -> str:
    if found := names.organisation(value):
        return found
    raise WrongValue("is an ODS code, or another identifier of an organisation")


def _party(value: str) -> str:
    return value if value == "*" else _organisation(value)


def _one_of(*allowed: str) -> Check:
    def made(value: str) -> str:
        if value not in allowed:
            raise WrongValue(f"is one of {', '.join(allowed)}")
        return value

    return made


def _role(value: str) -> str:
    return names.role(value)


def _patient(value: str) -> str:
    number, authority = names.patient(value)
    number = re.sub(r"[ -]", "", number)
    if not number or ("^" in value and not authority):
        raise WrongValue("is an NHS Number, or a patient id as NUMBER^^^&OID&ISO")
    if not authority and (len(number) != 10 or not number.isascii() or not number.isdigit()):
        raise WrongValue("is no NHS Number, which has ten digits")
    return f"{number}^^^&{authority or _NHS_NUMBER}&ISO"


def _address(value: str) -> str:
    if not re.match(r"(https?|mllp|mllps|syslog-tls)://[^\s/]+", value):
        raise WrongValue("is an address, as https://host/path")
    return value


_SPAN: Final = (
    Field("begins", "From which day it counts; at once when empty.", _day),
    Field("ends", "Up to which day it counts, that day not included; for good when empty.", _day),
)
_PATIENT: Final = Field(
    "patient_id", "The patient: an NHS Number, or NUMBER^^^&OID&ISO of another authority.", _patient, required=True
)
_SOURCE: Final = Field("source", "Where this comes from.", _free)
_RIGHTS: Final = Field("right", "What the role may do.", _one_of(*(right.value for right in MEANINGS)), required=True)

ROLES: Final = Kind(
    "roles",
    "right of a role",
    "id",
    (
        Field("role", "The role, CODE^SYSTEM.", _role, required=True),
        _RIGHTS,
        Field("organisation", "Where alone it counts; everywhere when empty.", _organisation),
        *_SPAN,
        Field("note", "For people.", _free),
    ),
    makes_key=True,
)
RELATIONSHIPS: Final = Kind(
    "relationships",
    "relationship",
    "id",
    (
        _PATIENT,
        Field("organisation", "In whose care the patient is.", _organisation),
        Field("team", "Which team of it alone.", _word),
        Field("user", "Which user alone.", _word),
        *_SPAN,
        _SOURCE,
    ),
    makes_key=True,
)
CONSENTS: Final = Kind(
    "consents",
    "consent",
    "id",
    (
        _PATIENT,
        Field("decision", "permit or refuse.", _one_of("permit", "refuse"), required=True),
        Field("type", "A typeCode or classCode, CODE or CODE^^SCHEME; every document when empty.", _word),
        Field("organisation", "For whom; everybody when empty.", _organisation),
        Field("purpose", "Purpose of use, CODE or CODE^SYSTEM; every one when empty.", _word),
        *_SPAN,
        Field(
            "basis",
            "explicit or implied; explicit when empty. An implied one permits nothing where consent has to be given.",
            _one_of("explicit", "implied"),
        ),
        _SOURCE,
    ),
    makes_key=True,
)
AGREEMENTS: Final = Kind(
    "agreements",
    "data sharing agreement",
    "id",
    (
        Field("title", "What it is called.", _free, required=True),
        Field("providers", "Whose documents are shared; * is everybody's.", _party, required=True, many=True),
        Field("recipients", "Who may see them; * is everybody.", _party, required=True, many=True),
        Field("types", "typeCodes or classCodes that it covers; all when empty.", _word, many=True),
        Field("purposes", "Purposes of use that it covers, CODE or CODE^SYSTEM; all when empty.", _word, many=True),
        *_SPAN,
        Field("reference", "Where the signed paper is.", _free),
    ),
    makes_key=True,
)
ORGANISATIONS: Final = Kind(
    "organisations",
    "organisation",
    "code",
    (
        Field("code", "ODS code.", _organisation, required=True),
        Field("name", "What it is called.", _free, required=True),
        Field("care_setting", "gp, health, social or other.", _one_of(*CARE_SETTINGS[:-1])),
        Field("part_of", "The organisation that operates it, as a trust does its sites.", _organisation),
        Field("also", "Another identifier that means it, as urn:oid:….", _organisation),
        Field("town", "Town.", _free),
        Field("postcode", "Postcode.", _free),
        *_SPAN,
        _SOURCE,
    ),
)
USERS: Final = Kind(
    "users",
    "user or system",
    "user",
    (
        Field("user", "The id in assertions; of a system sha256:HEX or name:DNS-NAME.", _word, required=True),
        Field("name", "What they are called.", _free, required=True),
        Field("kind", "person or system.", _one_of("person", "system"), required=True),
        Field("issuer", "Whose assertions mean them; everybody's when empty.", _word),
        Field("organisation", "Where they work.", _organisation),
        Field("roles", "Roles where an assertion has none, CODE^SYSTEM.", _role, many=True),
        Field("teams", "Teams that they are in.", _word, many=True),
        *_SPAN,
    ),
)
ENDPOINTS: Final = Kind(
    "endpoints",
    "endpoint",
    "id",
    (
        Field("organisation", "Whose it is.", _organisation, required=True),
        Field("service", "Which service, by its id.", _word, required=True),
        Field("transactions", "What is served there, as ITI-18.", _word, many=True),
        Field("address", "Where it is.", _address, required=True),
        *_SPAN,
    ),
    makes_key=True,
)
SERVICES: Final = Kind(
    "services",
    "business service",
    "service",
    (
        Field("service", "Its id.", _word, required=True),
        Field("name", "What it is called.", _free, required=True),
        Field("organisation", "Who is answerable for it.", _organisation, required=True),
        Field("kind", "What it is, as registry, repository or portal.", _word),
        Field("contact", "Whom to ask.", _free),
        *_SPAN,
    ),
)

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({
    kind.name: kind
    for kind in (ROLES, RELATIONSHIPS, CONSENTS, AGREEMENTS, ORGANISATIONS, USERS, ENDPOINTS, SERVICES)
})  # fmt: skip


def read_record(kind: Kind, told: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """A record in the form in which it is kept, several values joined by spaces; and all that is wrong with it."""
    known = {field.name for field in kind.fields} | ({kind.key} if kind.makes_key else set())
    problems = [f"{name}: there is no such field" for name in told if name not in known]
    record: dict[str, str] = {}
    for field in kind.fields:
        try:
            record[field.name] = _value(field, told.get(field.name))
        except WrongValue as wrong:
            problems.append(f"{field.name}: {wrong}")
    if kind.makes_key:
        try:
            record[kind.key] = _word(_text(told.get(kind.key)))
        except WrongValue as wrong:
            problems.append(f"{kind.key}: {wrong}")
    begins, ends = record.get("begins", ""), record.get("ends", "")
    if begins and ends and ends < begins:
        problems.append("ends: is before it begins")
    if kind is RELATIONSHIPS and not problems and not (record["organisation"] or record["user"]):
        problems.append("organisation: one is needed, or a user")
    return record, problems


def _value(field: Field, told: Any) -> str:
    values = told if isinstance(told, list | tuple) else [told]
    texts = [_text(each) for each in values]
    if field.many:
        texts = [part for each in texts for part in each.split()]
    made = [field.made(each) for each in texts if each]
    if field.required and not made:
        raise WrongValue("is needed")
    if len(made) > 1 and not field.many:
        raise WrongValue("takes one value")
    if any(len(each) > LONGEST for each in made):
        raise WrongValue(f"takes at most {LONGEST} characters")
    return " ".join(made)


def _text(told: Any) -> str:
    if told is None:
        return ""
    if not isinstance(told, str):
        raise WrongValue("is a text")
    if not told.replace("\t", " ").isprintable():
        raise WrongValue("takes no control characters")
    return told.strip()
