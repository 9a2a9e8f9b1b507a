"""What can go wrong between the client and the services, so that a caller can tell what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from common.model import RegistryError


class ClientError(Exception):
    """Anything that kept the client from doing what it was asked.

    ``errors`` is the RegistryErrorList where there was one; ``message_id`` is that of the submission, if it was one.
    """

    errors: tuple[RegistryError, ...] = ()
    message_id: str | None = None


class NeighbourError(ClientError):
    """A neighbour could not be spoken with."""


class NotReached(NeighbourError):  # noqa: N818
    """Nothing was sent: no connection could be made."""


class NoAnswer(NeighbourError):  # noqa: N818
    """Something was sent, and no clear answer came back: what it led to is unknown."""


class TooBusy(NoAnswer):
    """The neighbour has too much to do (HTTP 503) and says that it has done nothing; whether that is so is unknown."""


class OutcomeUnknown(NoAnswer):
    """A submission was sent, and whether it was registered is unknown: send the same one with this message_id again."""

    def __init__(self, message_id: str, told: str) -> None:
        super().__init__(f"{told}; the outcome is unknown: send the same submission with the same message_id again")
        self.message_id = message_id


class FaultReceived(ClientError):  # noqa: N818
    """A SOAP fault: ``Sender`` means that nothing was done, ``Receiver`` that the same message may be sent again."""

    def __init__(self, code: str, subcode: str | None, reason: str) -> None:
        """``subcode`` is a local name, such as ``ActionNotSupported``."""
        super().__init__(f"{subcode or code}: {reason}")
        self.code, self.subcode, self.reason = code, subcode, reason


class Refused(ClientError):  # noqa: N818
    """A RegistryResponse said no; ``errors`` says why."""

    def __init__(self, errors: Iterable[RegistryError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.code}: {error.context}" for error in self.errors) or "no reason was given")


class SubmissionRefused(Refused):
    """The submission was refused, and changed nothing."""


class QueryRefused(Refused):
    """The query was not answered."""


class QueryIncomplete(Refused):
    """Part of the answer is missing (PartialSuccess); ``DocumentConsumer.query`` gives what there is."""


class DocumentUnavailable(Refused):
    """The repository has no such document to give, or did not give it."""


class UnknownRepository(ClientError):  # noqa: N818
    """No address is known for the repository that holds a document."""


class ContentUnreadable(ClientError):  # noqa: N818
    """A document to be sent could not be read, or changed meanwhile: the submission was broken off."""


class ContentMismatch(ClientError):  # noqa: N818
    """The bytes of a document are not those that its entry describes."""
