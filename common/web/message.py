"""A SOAP message opened: which transaction it asks for, and in which form it came."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from common.caller import Caller
from common.soap import faults
from common.soap.addressing import Way
from common.soap.content_type import ContentType, MimeError, is_mtom, parse_content_type, read_simple
from common.soap.encoding import XmlRefused
from common.soap.envelope import Envelope, read_envelope
from common.soap.faults import SoapFault
from common.soap.xml import XmlLimits, parse
from common.standard.transactions import Transaction
from common.tls import Peer


@dataclass(frozen=True, slots=True)
class Message:
    """One request: its transaction, its envelope, whether it came as MTOM, and where its answer goes elsewhere.

    ``caller`` is the user in whose name it comes, where that is asked for; ``system`` is the peer that it comes from in
    its own name.
    """

    transaction: Transaction
    envelope: Envelope
    mtom: bool
    way: Way | None = None
    caller: Caller | None = None
    system: Peer | None = None


def content_type_of(header: str | None) -> tuple[ContentType, bool]:
    """The Content-Type, and whether it is MTOM; SoapFault for what is neither MTOM nor SOAP 1.2."""
    if not header:
        raise SoapFault(faults.SENDER, "The Content-Type header is missing; application/soap+xml is expected.")
    try:
        content_type = parse_content_type(header)
        if is_mtom(content_type):
            return content_type, True
        read_simple(content_type)
    except MimeError as error:
        raise refused(error) from error
    return content_type, False


def refused(error: MimeError | XmlRefused) -> SoapFault:
    """A message that cannot be read is its sender's fault."""
    reason = error.reason[:1].upper() + error.reason[1:]
    return SoapFault(faults.SENDER, reason if reason.endswith(".") else f"{reason}.")


def open_envelope(data: bytes, charset: str | None, limits: XmlLimits, understood: Collection[str] = ()) -> Envelope:
    """The envelope in these bytes; SoapFault when it cannot be read."""
    try:
        root = parse(data, limits, charset)
    except XmlRefused as error:
        raise refused(error) from error
    return read_envelope(root, understood)


def transaction_of(envelope: Envelope, served: Mapping[str, Transaction]) -> Transaction:
    """What an envelope asks for; SoapFault when it is not served here."""
    try:
        return _transaction(envelope, served)
    except SoapFault as fault:
        fault.relates_to = envelope.message_id
        raise


def _transaction(envelope: Envelope, served: Mapping[str, Transaction]) -> Transaction:
    """Routing is by wsa:Action alone (ITI TF-2x V.3.4); the body has to agree."""
    transaction = served.get(envelope.action)
    if transaction is None:
        raise SoapFault(
            faults.ACTION_NOT_SUPPORTED,
            f"The wsa:Action {envelope.action[:120]!r} is not served at this address.",
            detail=faults.problem_action(envelope.action),
        )
    if envelope.body.tag not in transaction.roots:
        told = f"The body of {transaction.label} must be {transaction.root.rpartition('}')[2]}."
        raise SoapFault(faults.SENDER, told)
    return transaction
