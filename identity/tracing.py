"""Whose an NHS Number is by the national record (PDS): one small interface, a client of its FHIR API, and a stand-in.

The stand-in, ``RecordedTracing``, answers from recorded responses of people who don't exist. It is for tests and first
runs, and says nothing of anybody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import requests

from common.demographics import MOST_TEXT, Address, PersonName
from common.observe import correlation

NUMBER: Final = re.compile(r"[0-9]{10}")
SHIPPED: Final = Path(__file__).parent / "recorded"
_MOST_BYTES: Final = 512 * 1024
_MOST: Final = 20
_PIECE: Final = 64 * 1024
_SENSITIVE: Final = frozenset({"R", "V"})
_INVALID: Final = "REDACTED"


@dataclass(frozen=True, slots=True)
class TracedPerson:
    """What the national record says; of a sensitive person it says, and this keeps, no address and no practice."""

    nhs_number: str
    names: tuple[PersonName, ...] = ()
    birth: str = ""
    deceased: str = ""
    gender: str = ""
    practice: str = ""
    addresses: tuple[Address, ...] = field(default=(), repr=False)
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Superseded:
    """The number was replaced by another, which is the person's."""

    nhs_number: str
    by: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No valid record has this number."""

    nhs_number: str


Traced = TracedPerson | Superseded | Unknown


class TracingFailed(Exception):  # noqa: N818 - it may be of nobody's making
    """There was no answer that says anything; ``again`` tells whether the same may be asked again later."""

    def __init__(self, told: str, *, again: bool, after: float | None = None) -> None:
        """``after`` is how many seconds one was asked to wait."""
        super().__init__(told)
        self.again, self.after = again, after


class Tracing(Protocol):
    """Looks a number up."""

    def trace(self, nhs_number: str) -> Traced:
        """What is known of a number; TracingFailed."""
        ...


class RecordedTracing:
    """A stand-in for tests and first runs: recorded responses, NUMBER.json in a folder, each a FHIR Patient."""

    def __init__(self, folder: Path = SHIPPED) -> None:
        self._folder = folder

    def trace(self, nhs_number: str) -> Traced:
        """What was recorded; a number without a record is unknown."""
        if not NUMBER.fullmatch(nhs_number):
            return Unknown(nhs_number)
        try:
            with (self._folder / f"{nhs_number}.json").open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return Unknown(nhs_number)
        except OSError as error:
            raise TracingFailed(f"the recorded response cannot be read: {error.strerror}", again=False) from error
        return read_answer(nhs_number, data)


class FhirTracing:
    """The FHIR R4 API of PDS: ``GET [base]/Patient/[NHS Number]``."""

    def __init__(
        self,
        base: str,
        *,
        token: Callable[[], str],
        connect_timeout: float,
        answer_timeout: float,
        session: requests.Session | None = None,
    ) -> None:
        """Times in seconds; ``token`` gives the bearer token that is right now, or nothing."""
        self._base = base.rstrip("/")
        self._token = token
        self._times = (connect_timeout, answer_timeout)
        self._session = session or requests.Session()
        self._session.trust_env = False

    def trace(self, nhs_number: str) -> Traced:
        """Ask; what is no NHS Number is not asked for."""
        if not NUMBER.fullmatch(nhs_number):
            return Unknown(nhs_number)
        try:
            with self._session.get(
                f"{self._base}/Patient/{nhs_number}",
                headers=self._headers(),
                timeout=self._times,
                stream=True,
                allow_redirects=False,
            ) as answer:
                return self._read(nhs_number, answer)
        except requests.RequestException as error:
            raise TracingFailed(f"PDS cannot be reached: {type(error).__name__}", again=True) from None

    def _headers(self) -> dict[str, str]:
        named = {
            "Accept": "application/fhir+json",
            "X-Request-ID": str(uuid4()),
            "X-Correlation-ID": _as_uuid(correlation.current()),
        }
        token = self._token().strip()
        return {**named, "Authorization": f"Bearer {token}"} if token else named

    def _read(self, nhs_number: str, answer: requests.Response) -> Traced:
        status = answer.status_code
        if status == 404:
            return Unknown(nhs_number)
        if status == 200:
            return read_answer(nhs_number, _bounded(answer))
        if status == 429:
            told = answer.headers.get("Retry-After", "")
            raise TracingFailed(
                "PDS was asked too often", again=True, after=float(told) if re.fullmatch(r"[0-9]{1,5}", told) else None
            )
        if status in (401, 403):
            raise TracingFailed(f"PDS does not let us ask ({status}): see the token", again=False)
        if status >= 500:
            raise TracingFailed(f"PDS does not work at the moment ({status})", again=True)
        raise TracingFailed(f"PDS refused the question ({status})", again=False)


def _as_uuid(name: str) -> str:
    try:
        return str(UUID(name))
    except ValueError:
        return str(uuid4())


def _bounded(answer: requests.Response) -> bytes:
    found = bytearray()
    for piece in answer.iter_content(_PIECE):
        found += piece
        if len(found) > _MOST_BYTES:
            break
    return bytes(found)


def read_answer(asked: str, data: bytes) -> Traced:
    """A Patient of PDS; TracingFailed for anything else."""
    if len(data) > _MOST_BYTES:
        raise TracingFailed(f"the answer has more than {_MOST_BYTES} bytes", again=False)
    try:
        patient = json.loads(data)
    except (ValueError, RecursionError):
        raise TracingFailed("the answer is not JSON", again=False) from None
    if not isinstance(patient, dict) or patient.get("resourceType") != "Patient":
        raise TracingFailed("the answer is no Patient", again=False)
    found = _text(patient.get("id"))
    if not NUMBER.fullmatch(found):
        raise TracingFailed("the answer's id is no NHS Number", again=False)
    if found != asked:
        return Superseded(asked, found)
    security = {_text(each.get("code")) for each in _objects(_object(patient.get("meta")).get("security"))}
    return Unknown(asked) if _INVALID in security else _person(found, patient, bool(security & _SENSITIVE))


def _person(number: str, patient: Mapping[str, Any], sensitive: bool) -> TracedPerson:
    practices = (_object(each.get("identifier")) for each in _objects(patient.get("generalPractitioner")))
    return TracedPerson(
        nhs_number=number,
        names=tuple(_name(each) for each in _objects(patient.get("name"))),
        birth=_text(patient.get("birthDate")),
        deceased=_text(patient.get("deceasedDateTime")),
        gender=_text(patient.get("gender")),
        practice="" if sensitive else next((_text(each.get("value")) for each in practices), ""),
        addresses=() if sensitive else tuple(_address(each) for each in _objects(patient.get("address"))),
        sensitive=sensitive,
    )


def _name(name: Mapping[str, Any]) -> PersonName:
    prefix, suffix = (" ".join(_texts(name.get(part))) for part in ("prefix", "suffix"))
    return PersonName(_text(name.get("family")), _texts(name.get("given")), prefix, suffix)


def _address(address: Mapping[str, Any]) -> Address:
    lines = tuple(line for line in _texts(address.get("line")) if line)
    named = (_text(address.get(part)) for part in ("city", "state", "postalCode", "country"))
    return Address(lines, *named)


def _text(value: object) -> str:
    return value.strip()[:MOST_TEXT] if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(each) for each in value[:_MOST]) if isinstance(value, list) else ()


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    return (each for each in (value[:_MOST] if isinstance(value, list) else ()) if isinstance(each, dict))
