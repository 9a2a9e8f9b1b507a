"""Times as XML has them (xs:dateTime), which those of SAML and of WS-Security are (SAML 2.0 Core 1.3.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_FORM: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,20})?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def instant(text: str) -> float:
    """Seconds since the epoch; ValueError. Where no zone is given it is UTC, as SAML's times always are."""
    text = text.strip()
    if not _FORM.fullmatch(text):
        raise ValueError("no time")
    try:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except OverflowError as error:
        raise ValueError("no time of ours") from error
