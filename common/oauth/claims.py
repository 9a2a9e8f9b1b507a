"""What a token says of its user, as a ``Caller``: claims of IUA (ITI TF-2 3.71), and of CIS2 in England."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from common.caller import Caller, Coded
from common.oauth.refusal import NotAuthorised

_MOST: Final = 64
_LONGEST: Final = 8192
_CIS2_ROLES: Final = "https://fhir.nhs.uk/CodeSystem/spine-job-role"
_CIS2_ORGANISATIONS: Final = "https://fhir.nhs.uk/Id/ods-organization-code"


def caller_of(claims: Mapping[str, Any], scopes: Iterable[str]) -> Caller:
    """From claims that were verified; NotAuthorised for values that are no text, too many or too long."""
    extensions = _table(claims.get("extensions"))
    iua, bppc = _table(extensions.get("ihe_iua")), _table(extensions.get("ihe_bppc"))
    role, organisation = _selected(claims)
    others = {
        "scope": tuple(scopes),
        **{name: _texts(claims.get(name)) for name in ("client_id", "aud", "sub")},
    }
    return Caller(
        user=_text(claims.get("nhsid_useruid")) or _text(iua.get("person_id")) or _text(claims.get("sub")),
        issuer=_text(claims.get("iss")),
        assertion_id=_text(claims.get("jti")),
        until=float(claims["exp"]),
        authentication=_text(claims.get("acr")),
        name=_text(iua.get("subject_name")) or _text(claims.get("name")),
        organisation=_text(iua.get("subject_organization")) or organisation[0],
        organisation_id=_text(iua.get("subject_organization_id")) or organisation[1],
        home_community_id=_text(iua.get("home_community_id")),
        provider_id=_text(iua.get("national_provider_identifier")),
        roles=(*_codes(iua.get("subject_role")), *role),
        purposes=_codes(iua.get("purpose_of_use")),
        consents=_texts(bppc.get("doc_id")),
        policies=_texts(bppc.get("acp")),
        patient_id=_text(bppc.get("patient_id")),
        others={name: values for name, values in others.items() if values},
    )


def _selected(claims: Mapping[str, Any]) -> tuple[tuple[Coded, ...], tuple[str, str]]:
    """CIS2: of a user's many roles the one that they work in now; of others nothing is believed."""
    rows = claims.get("nhsid_nrbac_roles")
    selected = _text(claims.get("selected_roleid"))
    if rows is None:
        return (), ("", "")
    if not isinstance(rows, list) or len(rows) > _MOST:
        raise NotAuthorised("The token has more roles than are taken.")
    of_user = [row for row in rows if isinstance(row, dict)]
    chosen = [row for row in of_user if selected and _text(row.get("person_roleid")) == selected]
    if not selected and len(of_user) == 1:
        chosen = of_user
    if not chosen:
        return (), ("", "")
    row = chosen[0]
    code = _text(row.get("role_code")).rpartition(":")[2]
    display = _text(row.get("role_name")).strip('"').rpartition('":"')[2]
    ods = _text(row.get("org_code"))
    found = (Coded(code, _CIS2_ROLES, display),) if code else ()
    return found, (_text(row.get("org_name")), f"{_CIS2_ORGANISATIONS}|{ods}" if ods else "")


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A text; the first of several."""
    return next(iter(_texts(value)), "")


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    if len(values) > _MOST:
        raise NotAuthorised("The token has more values than are taken.")
    for each in values:
        if not isinstance(each, str) or len(each) > _LONGEST or not each.isprintable():
            raise NotAuthorised("The token has values that are not taken.")
    return tuple(each for each in values if each)


def _codes(value: Any) -> tuple[Coded, ...]:
    """Codes as objects (`code`, `system`, `display`, as FHIR's Coding), or plain texts."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    if len(values) > _MOST:
        raise NotAuthorised("The token has more values than are taken.")
    found = []
    for each in values:
        if isinstance(each, dict):
            coded = Coded(_text(each.get("code")), _text(each.get("system")), _text(each.get("display")))
        else:
            coded = Coded(_text(each), "")
        if coded.code:
            found.append(coded)
    return tuple(found)
