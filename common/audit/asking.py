"""What we ask of others, recorded from our side (ITI TF-2 3.20): each party has a record of its own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from common.audit.account import Account
from common.audit.events import key_of
from common.model import RegistryResponse
from common.standard.transactions import Transaction

_NONE: Final = "Failure"
_DEEPEST: Final = 8


class Audits(Protocol):
    """Keeps records of what is asked; SpoolFailed where it cannot."""

    def check(self) -> None:
        """Whether it could, before anything is asked."""
        ...

    def asked(self, key: str, outcome: str, account: Account, url: str) -> None:
        """What came of asking somebody at an address."""
        ...

    def not_trusted(self, url: str, told: str) -> None:
        """Whoever answers there is not who they should be (ITI TF-2 3.19.4.1.3)."""
        ...


@dataclass(slots=True)
class Asking:
    """A question under way, and its account; what is not answered has failed."""

    account: Account = field(default_factory=Account)
    outcome: str = _NONE

    def answered(self, response: RegistryResponse) -> None:
        """This came back."""
        self.outcome = response.status.name.title().replace("_", "")
        self.account.problems += [error.code for error in response.errors]


def is_of_a_certificate(error: BaseException) -> bool:
    """Whether it came of a certificate that is not trusted, or is of another name."""
    cause: BaseException | None = error
    for _ in range(_DEEPEST):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ if cause is not None else None
    return False


class Recorder:
    """Records what is asked at one address; without an ``auditor`` nothing is."""

    def __init__(self, auditor: Audits | None, url: str) -> None:
        self._auditor, self._url = auditor, url

    @contextmanager
    def asking(self, transaction: Transaction) -> Iterator[Asking]:
        """Ask within the block; the record is kept when it is left, however. SpoolFailed, before anything is asked."""
        if self._auditor is None:
            yield Asking()
            return
        self._auditor.check()
        question = Asking()
        try:
            yield question
        except BaseException as error:
            if question.outcome == _NONE and not question.account.problems:
                question.account.problems.append(type(error).__name__)
            if is_of_a_certificate(error):
                self._auditor.not_trusted(self._url, str(error))
            self._auditor.asked(key_of(transaction), question.outcome, question.account, self._url)
            raise
        self._auditor.asked(key_of(transaction), question.outcome, question.account, self._url)
