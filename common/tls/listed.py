"""Lists of systems that are followed: whoever is put on one, or taken off, is so within a second or so."""

from __future__ import annotations

import logging
from pathlib import Path

from common.followed import Followed
from common.tls.peer import Allowed, BadAllowList


def listed(place: str, what: str, log: logging.Logger) -> Followed[Allowed]:
    """Who is on the list in this file now; OSError, BadAllowList where it cannot be used to begin with."""
    return Followed(what, lambda: Allowed.from_file(place), lambda: [Path(place)], (OSError, BadAllowList), log)
