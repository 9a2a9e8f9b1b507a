"""What is recorded of which transaction, as one table: a row for each transaction and side (ITI TF-2 3.20.4.1.2.4 ff.).

One more transaction is one more row, and one more test. What is not a transaction has its rows in ``OTHERS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from common.audit.message import DCM, IHE, RFC_3881, Code
from common.standard.transactions import ITI_44_ADD, ITI_44_MERGE, ITI_44_REVISE, TRANSACTIONS, Transaction


class Side(Enum):
    """Which of two parties a record is of: the one that asked, or the one that answered."""

    ASKED = "asked"
    ANSWERED = "answered"


class Kind(Enum):
    """A kind of object that a record names."""

    PATIENT = "patient"
    SUBMISSION_SET = "submission set"
    QUERY = "query"
    DOCUMENT = "documents"
    OBJECT = "registry objects"


EXPORT: Final = Code("110106", DCM, "Export")
IMPORT: Final = Code("110107", DCM, "Import")
PATIENT_RECORD: Final = Code("110110", DCM, "Patient Record")
QUERY: Final = Code("110112", DCM, "Query")
ACTIVITY: Final = Code("110100", DCM, "Application Activity")
LOG_USED: Final = Code("110101", DCM, "Audit Log Used")
ALERT: Final = Code("110113", DCM, "Security Alert")
AUTHENTICATION: Final = Code("110114", DCM, "User Authentication")

APPLICATION: Final = Code("110150", DCM, "Application")
LAUNCHER: Final = Code("110151", DCM, "Application Launcher")
DESTINATION: Final = Code("110152", DCM, "Destination")
SOURCE: Final = Code("110153", DCM, "Source")

PATIENT_NUMBER: Final = Code("2", RFC_3881, "Patient Number")
REPORT_NUMBER: Final = Code("9", RFC_3881, "Report Number")
URI: Final = Code("12", RFC_3881, "URI")
SUBMISSION_SET: Final = Code(
    "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", "IHE XDS Metadata", "submission set classificationNode"
)
OBJECT_REF: Final = Code("urn:ihe:iti:2017:ObjectRef", "IHE XDS Metadata", "registry object reference")
REQUEST: Final = Code("correlation", "Portolan", "correlation id of a request")


@dataclass(frozen=True, slots=True)
class Row:
    """What one party records of one transaction.

    ``key`` is the transaction's label, with its message where that decides; ``asking`` is the role of the side that
    asks; ``lasts`` is the ParticipantObjectDataLifeCycle; ``message`` is the type of the detail that names the message.
    """

    key: str
    side: Side
    type: Code
    event: Code
    action: str
    asking: Code
    kinds: tuple[Kind, ...]
    lasts: str = ""
    message: str = ""

    @property
    def answering(self) -> Code:
        """The role of the side that answers."""
        return DESTINATION if self.asking is SOURCE else SOURCE

    @property
    def transaction(self) -> str:
        """Its label, as ITI-44."""
        return self.type.code


_PATIENT_AND_SET: Final = (Kind.PATIENT, Kind.SUBMISSION_SET)
_ASKED, _ANSWERED = Side.ASKED, Side.ANSWERED
_NAMES: Final = {row.label: row.name.partition(",")[0] for row in TRANSACTIONS} | {
    "ITI-8": "Patient Identity Feed",
    "ITI-31": "Patient Encounter Management",
    "ITI-44": "Patient Identity Feed HL7 V3",
    "ITI-64": "Notify XAD-PID Link Change",
}


def key_of(transaction: Transaction) -> str:
    """The key of a transaction's rows: ITI-44 is told apart by its message."""
    if transaction.label == "ITI-44":
        return f"ITI-44 {transaction.root.rpartition('}')[2]}"
    return transaction.label


def _pair(
    key: str,
    asked: tuple[Code, str],
    answered: tuple[Code, str],
    *kinds: Kind,
    asking: Code = SOURCE,
    lasts: str = "",
    message: str = "",
) -> tuple[Row, Row]:
    """Both sides of one transaction."""
    label = key.partition(" ")[0]
    code = Code(label, IHE, _NAMES[label])
    return (
        Row(key, _ASKED, code, *asked, asking, kinds, lasts, message),
        Row(key, _ANSWERED, code, *answered, asking, kinds, lasts, message),
    )


def _feed(key: str, action: str, message: str) -> tuple[Row, Row]:
    same = (PATIENT_RECORD, action)
    return _pair(key, same, same, Kind.PATIENT, message=message)


def _query(key: str) -> tuple[Row, Row]:
    return _pair(key, (QUERY, "E"), (QUERY, "E"), Kind.PATIENT, Kind.QUERY)


ROWS: Final = (
    *_pair("ITI-41", (EXPORT, "R"), (IMPORT, "C"), *_PATIENT_AND_SET),
    *_pair("ITI-42", (EXPORT, "R"), (IMPORT, "C"), *_PATIENT_AND_SET),
    *_pair("ITI-61", (EXPORT, "R"), (IMPORT, "C"), *_PATIENT_AND_SET),
    *_pair("ITI-43", (IMPORT, "C"), (EXPORT, "R"), Kind.PATIENT, Kind.DOCUMENT, asking=DESTINATION),
    *_query("ITI-18"),
    *_query("ITI-51"),
    *_query("ITI-45"),
    *_query("ITI-47"),
    *_pair("ITI-57", (EXPORT, "U"), (IMPORT, "U"), *_PATIENT_AND_SET),
    *_pair("ITI-92", (EXPORT, "U"), (IMPORT, "U"), *_PATIENT_AND_SET),
    *_pair("ITI-62", (PATIENT_RECORD, "D"), (PATIENT_RECORD, "D"), Kind.PATIENT, Kind.OBJECT, lasts="15"),
    *_pair("ITI-86", (PATIENT_RECORD, "D"), (PATIENT_RECORD, "D"), Kind.PATIENT, Kind.DOCUMENT, lasts="15"),
    *(row for event in ("A01", "A04", "A05") for row in _feed(f"ITI-8 {event}", "C", "MSH-10")),
    *_feed("ITI-8 A08", "U", "MSH-10"),
    *(row for event in ("A02", "A03", "A11", "A12", "A13", "A38") for row in _feed(f"ITI-31 {event}", "U", "MSH-10")),
    *_feed("ITI-8 A40", "U", "MSH-10"),
    *_feed("ITI-64 A43", "U", "MSH-10"),
    *_feed(key_of(ITI_44_ADD), "C", "II"),
    *_feed(key_of(ITI_44_REVISE), "U", "II"),
    *_feed(key_of(ITI_44_MERGE), "U", "II"),
)
"""In a merge (A40, and its like in HL7 v3) the subsumed patient's record has the action D."""

TABLE: Final = {(row.key, row.side): row for row in ROWS}
ASKED: Final = {row.key: row for row in ROWS if row.side is Side.ASKED}
ANSWERED: Final = {row.key: row for row in ROWS if row.side is Side.ANSWERED}


def is_answered(key: str) -> bool:
    """Whether something is recorded under a key by whoever answers."""
    return key in ANSWERED


@dataclass(frozen=True, slots=True)
class Other:
    """An event that is no transaction: its codes, its action and outcome, and when it is recorded."""

    name: str
    event: Code
    type: Code | None
    action: str
    outcome: int
    meaning: str


def _dcm(code: str, text: str) -> Code:
    return Code(code, DCM, text)


STARTED: Final = Other(
    "started", ACTIVITY, _dcm("110120", "Application Start"), "E", 0, "A service, or a listener for feeds, is started."
)
STOPPED: Final = Other("stopped", ACTIVITY, _dcm("110121", "Application Stop"), "E", 0, "It is stopped.")
NOT_ADMITTED: Final = Other(
    "not admitted",
    ALERT,
    _dcm("110126", "Node Authentication"),
    "E",
    8,
    "A TLS connection is refused, to us or by us (ITI-19).",
)
NOT_IDENTIFIED: Final = Other(
    "not identified",
    AUTHENTICATION,
    _dcm("110122", "Login"),
    "E",
    8,
    "An assertion is refused (ITI-40), besides the transaction's own record; or a bearer token is, or is missing "
    "(ITI-72), of one client once a minute, with the number left out.",
)
EMERGENCY: Final = Other(
    "emergency",
    ALERT,
    _dcm("110127", "Emergency Override Started"),
    "E",
    0,
    "Access was given since an emergency was claimed, besides the transaction's own record.",
)
NOT_UNDERSTOOD: Final = Other(
    "not understood", ALERT, None, "E", 4, "A message is refused of which it cannot be told what it asks for."
)
TOO_OFTEN: Final = Other(
    "too often",
    ALERT,
    None,
    "E",
    4,
    "A client asks, or fails to say who it is, more often than it may, and is not listened to (429); of one client "
    "once a minute, with the number left out.",
)
RULES_CHANGED: Final = Other(
    "rules changed",
    ALERT,
    _dcm("110129", "Security Configuration"),
    "E",
    0,
    "A command changes who may do what, or keys and certificates.",
)
TRAIL_ARCHIVED: Final = Other(
    "trail archived",
    ALERT,
    _dcm("110132", "Use of Restricted Function"),
    "E",
    0,
    "The oldest records are taken out of an audit trail, into a file that is named with its hash.",
)
TRAIL_READ: Final = Other("trail read", LOG_USED, None, "R", 0, "Somebody reads audit records.")

OTHERS: Final = (
    STARTED,
    STOPPED,
    NOT_ADMITTED,
    NOT_IDENTIFIED,
    EMERGENCY,
    NOT_UNDERSTOOD,
    TOO_OFTEN,
    RULES_CHANGED,
    TRAIL_ARCHIVED,
    TRAIL_READ,
)

MINOR, SERIOUS, MAJOR = 4, 8, 12
_OURS: Final = frozenset(
    {
        "XDSRegistryError",
        "XDSRepositoryError",
        "XDSRegistryBusy",
        "XDSRepositoryBusy",
        "XDSRegistryNotAvailable",
        "XDSRegistryOutOfResources",
        "XDSRepositoryOutOfResources",
        "Receiver",
        "207",
    }
)
_OF_FORM: Final = frozenset({"Sender", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"})


def outcome_of(codes: tuple[str, ...]) -> int:
    """12 where we failed, 4 for a message of the wrong form, 8 for all else that is refused."""
    if not _OURS.isdisjoint(codes):
        return MAJOR
    return MINOR if codes and _OF_FORM.issuperset(codes) else SERIOUS
