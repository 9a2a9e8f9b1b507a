"""Why a token does not count (RFC 6750 section 3.1)."""

from __future__ import annotations

from typing import Final

INVALID: Final = "invalid_token"
SCOPE: Final = "insufficient_scope"


class NotAuthorised(Exception):  # noqa: N818
    """The error's name, and a sentence for the sender; nothing of the token is repeated in it."""

    def __init__(self, told: str, error: str = INVALID) -> None:
        super().__init__(told)
        self.told, self.error = told, error


class CannotTell(Exception):  # noqa: N818
    """The issuer cannot be asked now: the token may be right."""
