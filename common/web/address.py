"""What is served at one SOAP address, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from common.standard.transactions import Transaction
from common.web.answers import Reply
from common.web.message import Message


class Parts(Protocol):
    """Where the documents of a message go while it is read."""

    def begin(self, content_id: str | None) -> None:
        """A document begins."""
        ...

    def data(self, data: bytes | memoryview) -> None:
        """Some of its bytes."""
        ...

    def end(self) -> None:
        """It is complete."""
        ...


class NoParts:
    """For addresses that take no documents: what comes is dropped."""

    def begin(self, content_id: str | None) -> None:
        """Nothing."""

    def data(self, data: bytes | memoryview) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Address:
    """What is served at one address, and by whom.

    ``fail`` logs a breakdown of ``act`` and answers for it; answers of ``large`` transactions are made when sent.
    """

    service: str
    path: str
    wsdl: str
    url: str
    transactions: tuple[Transaction, ...]
    max_bytes: int
    act: Callable[[Message, Any], Reply]
    fail: Callable[[Transaction, Exception, str], Reply]
    large: frozenset[Transaction] = frozenset()
    parts: Callable[[], AbstractContextManager[Parts]] = lambda: nullcontext(NoParts())
