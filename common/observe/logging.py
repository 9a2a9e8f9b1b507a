"""One log record is one line, as JSON or as text, with the request's correlation id and no patient's number."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from common.observe import correlation, stages
from common.observe.redact import redacted

_MOST_MESSAGE: Final = 8_000
_MOST_TRACEBACK: Final = 16_000
_FIRST: Final = ("transaction", "outcome", "duration_ms")
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "correlation", "trace"}

# These write whole messages or bound values, which hold patient data, at their lower levels.
_TALKATIVE: Final = ("zeep", "urllib3", "minio", "sqlalchemy.engine", "sqlalchemy.pool", "psycopg")


class SafeFilter(logging.Filter):
    """Settles a record's text and takes NHS Numbers out of message, exception and extra fields; never raises."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: the record is changed, not dropped."""
        record.msg, record.args = _shortened(redacted(_message(record)), _MOST_MESSAGE), None
        record.exc_text = _exception(record)
        record.exc_info = None
        for name in _extras(record):
            record.__dict__[name] = _safe(record.__dict__[name])
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII, so that no character can end the line or hide in it."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        return json.dumps({"ts": _time(record), **_fields(record, self._service)}, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, logger and message for people, then the other fields as key=value."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of text."""
        fields = _fields(record, self._service)
        head = f"{_time(record)} {record.levelname:<7} {self._service} {record.name}: {fields.pop('msg')}"
        rest = (f"{name}={json.dumps(value, default=str)}" for name, value in fields.items() if name not in _HEAD)
        return _one_line(" ".join((head, *rest)))


_HEAD: Final = frozenset({"level", "service", "logger"})


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that configuring again replaces it and leaves others' handlers alone."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Say that a record was lost; the default would print the record's arguments."""
        sys.stderr.write(f"a log record of {record.name} could not be written\n")


def configure(level: str, form: str, service: str, stream: TextIO | None = None) -> None:
    """Send the log of this process to stderr (or the stream), from a level on, as `json` or `text`."""
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service) if form == "json" else TextFormatter(service))
    handler.addFilter(SafeFilter())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def _fields(record: logging.LogRecord, service: str) -> dict[str, Any]:
    """What a record says, in the order in which it is written; fields without value are left out."""
    extras = {name: record.__dict__[name] for name in _extras(record)}
    fields = {
        "level": record.levelname.lower(),
        "service": service,
        "logger": record.name,
        "msg": record.getMessage(),
        "correlation": correlation.current() or None,
        "trace": stages.trace_id(),
        **{name: extras.pop(name, None) for name in _FIRST},
        **{(f"extra_{name}" if name in _RESERVED else name): value for name, value in extras.items()},
        "exception": record.exc_text,
    }
    return {name: value for name, value in fields.items() if value is not None}


_RESERVED: Final = _HEAD | {"ts", "exception"}


def _extras(record: logging.LogRecord) -> list[str]:
    return [name for name in record.__dict__ if name not in _OWN]


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a wrong placeholder or a value that cannot be shown must not stop a request
        return f"{record.msg} (its values do not fit)"


def _exception(record: logging.LogRecord) -> str | None:
    """The traceback as text, its end when it is long, since the end says what went wrong."""
    text = record.exc_text
    if record.exc_info and record.exc_info[0] is not None and not text:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    return redacted(text)[-_MOST_TRACEBACK:] if text else None


def _safe(value: object) -> object:
    """A value as it may be written: numbers and truth as they are, all else as safe text."""
    if value is None or isinstance(value, bool | float):
        return value
    text = _shortened(redacted(_shown(value)), _MOST_MESSAGE)
    return value if isinstance(value, int) and text == str(value) else text


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception:  # as for messages
        return f"(a {type(value).__name__} that cannot be shown)"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _one_line(text: str) -> str:
    """The text with control and other invisible characters escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _time(record: logging.LogRecord) -> str:
    """When it happened: UTC, to the millisecond."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
