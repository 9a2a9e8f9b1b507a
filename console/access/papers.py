"""What people read and sign on paper: a data sharing agreement, the directory of business services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from common.paper.pdf import HEADING, INNER, TITLE, Pages, pdf_file
from console.output import shown_time

Record = Mapping[str, str]
Directory = Sequence[tuple[Record, Sequence[Record]]]
"""Business services, each with its endpoints."""
_LABEL: Final = 130.0
_EVERY: Final = {"types": "all documents", "purposes": "all purposes", "begins": "at once", "ends": "until it is ended"}


def rows(agreement: Record, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """What it says, as labels and texts; parties by name where the directory has them."""

    def parties(codes: str) -> str:
        return ", ".join("everybody" if code == "*" else _named(code, names) for code in codes.split())

    return [
        ("Agreement", agreement["id"]),
        ("Shared by", parties(agreement["providers"])),
        ("Shared with", parties(agreement["recipients"])),
        ("Documents", agreement["types"].replace(" ", ", ") or _EVERY["types"]),
        ("Purposes", agreement["purposes"].replace(" ", ", ") or _EVERY["purposes"]),
        ("From", _day(agreement, "begins")),
        ("Until", _day(agreement, "ends")),
        ("Signed paper", agreement["reference"] or "not told"),
    ]


def _named(code: str, names: Mapping[str, str]) -> str:
    return f"{names[code]} ({code})" if code in names else code


def _day(agreement: Record, name: str) -> str:
    return shown_time(agreement[name]) if agreement[name] else _EVERY[name]


def as_text(agreement: Record, names: Mapping[str, str]) -> str:
    """For a terminal."""
    lines = [f"{label:<14}{text}" for label, text in rows(agreement, names)]
    return "\n".join([agreement["title"], "", *lines])


def as_pdf(agreement: Record, names: Mapping[str, str], *, now: str) -> bytes:
    """For paper."""
    page = Pages()
    page.text(agreement["title"], TITLE, bold=True)
    page.text("Data sharing agreement", HEADING)
    page.rule()
    for label, text in rows(agreement, names):
        page.row([(label, _LABEL), (text, INNER - _LABEL)])
    page.space(48)
    for party in ("For those who share", "For those with whom it is shared"):
        page.text(f"{party}: ______________________________   Date: ______________")
        page.space(24)
    footer = f"Printed {shown_time(now)} UTC"
    return pdf_file(page, title=agreement["title"], created=now, footer=footer)


def _lines(service: Record, places: Sequence[Record], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is told of one service, as labels and texts."""
    told = [
        ("Service", f"{service['service']}{f', {kind}' if (kind := service['kind']) else ''}"),
        ("Answerable", _named(service["organisation"], names)),
        ("Contact", service["contact"] or "not told"),
    ]
    for each in places:
        served = f" ({each['transactions'].replace(' ', ', ')})" if each["transactions"] else ""
        told.append(("Lives at", f"{each['address']}{served}, of {_named(each['organisation'], names)}"))
    return told if places else [*told, ("Lives at", "not told")]


def services_as_text(found: Directory, names: Mapping[str, str]) -> str:
    """For a terminal."""
    parts = [
        "\n".join([service["name"], *(f"  {label:<12}{text}" for label, text in _lines(service, places, names))])
        for service, places in found
    ]
    return "\n\n".join(parts) or "There is no business service."


def services_as_pdf(found: Directory, names: Mapping[str, str], *, at: str, now: str) -> bytes:
    """For paper."""
    page = Pages()
    page.text("Business services", TITLE, bold=True)
    page.text(f"As of {shown_time(at)} UTC", HEADING)
    for service, places in found:
        page.rule()
        page.text(service["name"], HEADING, bold=True)
        for label, text in _lines(service, places, names):
            page.row([(label, _LABEL), (text, INNER - _LABEL)])
        page.space(12)
    return pdf_file(page, title="Business services", created=now, footer=f"Printed {shown_time(now)} UTC")
