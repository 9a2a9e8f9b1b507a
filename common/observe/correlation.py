"""The correlation id that ties together all that one request leaves in the logs."""

import re
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

from common.observe.redact import redacted

_FORM: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-?)([0-9a-fA-F]{4}\1){3}[0-9a-fA-F]{12}")

_current: ContextVar[str] = ContextVar("correlation", default="")


def new() -> str:
    """A fresh id: 32 hexadecimal digits."""
    return uuid4().hex


def current() -> str:
    """The id of the request being served, or an empty text outside of one."""
    return _current.get()


def accepted(incoming: str | None) -> str:
    """The id that a caller sent, or a new one when it sent none or one that is too long, too short or odd."""
    if incoming is None or not _FORM.fullmatch(incoming):
        return new()
    # A sender might use the patient's number as an id; ids are logged as they are.
    harmless = _UUID.fullmatch(incoming) or redacted(incoming) == incoming
    return incoming if harmless else new()


class bind:  # noqa: N801 - to be read like a function; as a class it costs half as much, for every request
    """Make an id the current one for the block, and for what the block starts in this context."""

    __slots__ = ("_correlation", "_token")

    def __init__(self, correlation: str) -> None:
        self._correlation = correlation

    def __enter__(self) -> str:
        self._token = _current.set(self._correlation)
        return self._correlation

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
