"""Values as they are given, in layers: options win over a sidecar, that over a CDA header, and that over defaults."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from common.codes import CodeSets
from common.model import Code, LocalizedString
from console.letters.cda_header import CdaHeader, Coded
from console.metadata.fields import FIELDS, Field

Value = str | Code
Values = Mapping[str, tuple[Value, ...]]

_MOST_SIDECAR: Final = 1024 * 1024
_DTM: Final = re.compile(r"[0-9]{4}([0-9]{2}){0,5}")


class MetadataError(Exception):
    """Metadata that cannot be used; `problems` are sentences."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def layered(*layers: Values) -> Values:
    """One set of values, in which earlier layers win."""
    return {key: value for layer in reversed(layers) for key, value in layer.items() if value}


def read_file(path: Path) -> Values:
    """The values in a TOML or JSON file; MetadataError when it cannot be used."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_SIDECAR + 1)
    except OSError as error:
        raise MetadataError([f"{path} cannot be read: {error.strerror}."]) from error
    if len(content) > _MOST_SIDECAR:
        raise MetadataError([f"{path} is larger than {_MOST_SIDECAR} bytes."])
    try:
        text = content.decode("utf-8-sig")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise MetadataError([f"{path} is not {kind}: {error}."]) from error
    if not isinstance(found, dict):
        raise MetadataError([f"{path} must be an object with metadata by name."])
    return _values(path, found)


def _values(path: Path, found: Mapping[str, Any]) -> Values:
    problems = [
        f"{path}: {key} is not known; `portolan submit --help` lists what is." for key in found if key not in FIELDS
    ]
    values: dict[str, tuple[Value, ...]] = {}
    for key, given in found.items():
        try:
            if key in FIELDS:
                values[key] = _given(FIELDS[key], given)
        except ValueError as error:
            problems.append(f"{path}: {key} {error}.")
    if problems:
        raise MetadataError(problems)
    return values


def _given(field: Field, given: Any) -> tuple[Value, ...]:
    items = given if isinstance(given, list) else [given]
    if len(items) > 1 and not field.many:
        raise ValueError("takes one value")
    return tuple(_one(item) for item in items)


def _one(item: Any) -> Value:
    if isinstance(item, str):
        return item.strip()
    if isinstance(item, date):  # TOML has dates and times of its own, and a datetime is a date too
        return item.isoformat()
    if isinstance(item, dict) and {"code", "scheme"} <= item.keys():
        return a_code(*(str(item.get(name) or "") for name in ("code", "scheme", "display")))
    if isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    raise ValueError("must be a text, a time, or a table of code, scheme and display")


def a_code(code: str, scheme: str, display: str) -> Code:
    """A code with its display name, if it has one."""
    return Code(code, scheme, (LocalizedString(display, "en-GB"),) if display else ())


def from_cda(header: CdaHeader) -> Values:
    """What a CDA header says, under our names."""
    patient = header.patient
    single: dict[str, str | Coded | None] = {
        "patient": patient.patient_id,
        "title": header.title,
        "type_code": header.type,
        "confidentiality_code": header.confidentiality,
        "language_code": header.language,
        "creation_time": header.creation_time,
        "service_start_time": header.service_start,
        "service_stop_time": header.service_stop,
        "author_person": header.author_person,
        "author_institution": header.author_institution,
        "legal_authenticator": header.legal_authenticator,
        "source_patient_id": patient.source_patient_id,
        "unique_id": header.unique_id,
    }
    found = {key: (_plain(value),) for key, value in single.items() if value}
    return {**found, "source_patient_info": patient.source_patient_info, "mime_type": ("text/xml",)}


def _plain(value: str | Coded) -> Value:
    return value if isinstance(value, str) else a_code(value.code, value.scheme, value.display or "")


def resolved_code(field: Field, value: Value, codes: CodeSets) -> Code:
    """The code that is meant; ValueError says why it is not clear."""
    if isinstance(value, Code):
        return value
    code, separator, scheme = value.partition("^^")
    known = codes.of(field.attribute)
    if not separator:
        schemes = [there for found, there in (known.displays if known else {}) if found == code]
        if len(schemes) != 1:
            why = "is in several coding schemes" if schemes else "is not one of the domain's codes"
            raise ValueError(f"{code!r} {why}; write CODE^^SCHEME, or see `portolan codes show {field.attribute}`")
        scheme = schemes[0]
    if not code or not scheme:
        raise ValueError(f"{value!r} must have the form CODE^^SCHEME")
    return a_code(code, scheme, codes.display(field.attribute, code, scheme) or "")


def dtm(value: str) -> str:
    """A DTM in UTC from a DTM, which is in UTC already, or a date or time of ISO 8601; ValueError for anything else."""
    if _DTM.fullmatch(value):
        return value
    try:
        if len(value) == 10:
            return date.fromisoformat(value).strftime("%Y%m%d")
        # A time without an offset is meant as this machine's clock has it.
        return datetime.fromisoformat(value).astimezone(UTC).strftime("%Y%m%d%H%M%S")
    except ValueError:
        raise ValueError(f"{value!r} must be a time such as 2026-03-11T14:20+00:00, a date or a DTM") from None
