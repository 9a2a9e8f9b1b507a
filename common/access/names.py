"""Names of organisations, roles and purposes in the forms in which they come, made one form each."""

from __future__ import annotations

import re
from typing import Final

from common.standard.nhs import nhs_number_problem

ODS: Final = "2.16.840.1.113883.2.1.3.2.4.19.1"
ODS_SITE: Final = "2.16.840.1.113883.2.1.3.2.4.19.2"
_ODS_URLS: Final = (
    "https://fhir.nhs.uk/id/ods-organization-code",
    "https://fhir.nhs.uk/id/ods-site-code",
)
_CODE: Final = re.compile(r"[A-Z0-9]{3,10}\Z")
LONGEST: Final = 256
NHS_NUMBER: Final = "2.16.840.1.113883.2.1.4.1"
_NHS_NUMBER_FORMS: Final = (
    re.compile(r"(?:https://fhir\.nhs\.uk/Id/nhs-number[|/])?(\d{3}[ -]?\d{3}[ -]?\d{4})\Z", re.ASCII | re.IGNORECASE),
    re.compile(rf"urn:oid:{re.escape(NHS_NUMBER)}[:.|](\d{{10}})\Z", re.ASCII),
)


def organisation(told: str) -> str:
    """One form for an organisation's id: the ODS code by itself, or the other id as it is; empty where there is none.

    ``urn:oid:2.16.840.1.113883.2.1.3.2.4.19.1:ZT901``, ``https://fhir.nhs.uk/Id/ods-organization-code|ZT901``,
    ``ZT901^^2.16…19.1`` and ``ZT901`` are the same.
    """
    told = told.strip()
    if len(told) > LONGEST:
        return ""
    root, _, code = told.rpartition("|")
    if root.lower() in _ODS_URLS or not root:
        return _ods(code) or told
    return told


def _ods(told: str) -> str:
    """The code in a form of ODS; empty for what is no such form."""
    lower = told.lower()
    for url in _ODS_URLS:
        if lower.startswith(f"{url}/"):
            told = told[len(url) + 1 :]
    for root in (ODS, ODS_SITE):
        for mark in (f"urn:oid:{root}:", f"urn:oid:{root}.", f"{root}:", f"{root}.", f"urn:oid:{root}/"):
            if told.lower().startswith(mark):
                told = told[len(mark) :]
        code, caret, scheme = told.partition("^")
        if caret and scheme.strip("^") == root:
            told = code
    told = told.strip().upper()
    return told if _CODE.match(told) else ""


def of_institution(xon: str) -> str:
    """The organisation that an authorInstitution (HL7 XON, ITI TF-3 4.2.3.1.7) names, where it has an id."""
    parts = xon.split("^")
    code = parts[9].strip() if len(parts) > 9 else ""
    if not code or len(code) > LONGEST:
        return ""
    authority = parts[5].split("&") if len(parts) > 5 else []
    root = authority[1] if len(authority) > 1 else ""
    if root in (ODS, ODS_SITE):
        return _ods(code) or f"{code}^{root}"
    return f"{code}^{root}" if root else organisation(code)


def coded(code: str, system: str) -> str:
    """A role or purpose as ``code^system``."""
    return f"{code}^{system}"


def role(told: str) -> str:
    """A role as people write it, ``R8000^SYSTEM`` or with two carets, in the one form."""
    code, caret, system = told.strip().partition("^")
    return f"{code.strip()}^{system.strip('^ ')}" if caret else f"{code}^"


def patient(cx: str) -> tuple[str, str]:
    """A patient id (HL7 CX) as the number and the authority's OID, however its other components are written."""
    parts = cx.strip().split("^")
    authority = parts[3].split("&") if len(parts) > 3 else []
    return parts[0].strip(), authority[1].strip() if len(authority) > 1 else ""


def asserted(told: str) -> tuple[str, str]:
    """The patient that an assertion or a token names: a CX, or an NHS Number in the forms in which people write it.

    A number of ten digits without an authority is an NHS Number where its check digit says so.
    """
    number, authority = patient(told)
    for form in _NHS_NUMBER_FORMS if authority in ("", NHS_NUMBER) else ():
        if found := form.match(number):
            digits = re.sub(r"[ -]", "", found[1])
            return (digits, NHS_NUMBER) if nhs_number_problem(digits) is None else (number, authority)
    return number, authority
