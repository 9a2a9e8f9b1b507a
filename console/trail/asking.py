"""What is asked of the trail, and by whom: noted before anything is shown."""

from __future__ import annotations

import getpass
import json
import os
import socket
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from auditing import using
from auditing.own import Use
from auditing.reading import patient_term
from common.db import Database
from common.settings import Settings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def note(database: Database, current: Settings, by: str, asked: dict[str, str], patient: str) -> None:
    """Nothing is shown before it is on disk that it was asked for."""
    question = json.dumps({name: value for name, value in asked.items() if value})
    number = patient.replace(" ", "")
    about = f"{number}^^^&{current.patient_authority}&ISO" if number.isdigit() else patient
    host = socket.gethostname()
    told = Use(user_here(), f"portolan {by}", question, host, patient=about, network=host)
    using.note(database, told, current.audit_repository_url)


def user_here() -> str:
    """Who runs this, and who became them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        name = f"uid {os.getuid()}"
    before = os.environ.get("SUDO_USER", "")
    return f"{name}@{socket.gethostname()}" + (f" (sudo by {before})" if before and before != name else "")


def patient_term_of(patient: str) -> str:
    """What records about a patient are found by: by an NHS Number of any authority, or by a CX."""
    number = patient.replace(" ", "")
    if number.isdigit():
        return f"{number}|"
    return patient_term(patient)


def time_of(option: str, text: str, *, upwards: bool) -> int | None:
    """A time in UTC where it names no zone, in microseconds; a day, hour or minute that is an end counts whole."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no time such as 2026-03-11 or 2026-03-11T14:20.", param_hint=option
        ) from error
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    if upwards:
        found += (
            timedelta(days=1) if len(text) == 10 else timedelta(minutes=1) if len(text) == 16 else timedelta(seconds=1)
        )
    return (found - _EPOCH) // timedelta(microseconds=1)
