"""The log: one record, one line; what may not be seen is not in it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.observe.correlation import bind
from common.observe.logging import SafeFilter, configure

NUMBER = "9990001006"
log = logging.getLogger("registry.register")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    logging.captureWarnings(False)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(params=["json", "text"])
def out(request: pytest.FixtureRequest) -> io.StringIO:
    stream = io.StringIO()
    configure("info", request.param, "registry", stream)
    return stream


@pytest.fixture
def json_out() -> io.StringIO:
    stream = io.StringIO()
    configure("info", "json", "registry", stream)
    return stream


def record_of(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    return dict(json.loads(line))


def test_a_record_has_its_fields(json_out: io.StringIO) -> None:
    with bind("some-request"):
        log.info("registered %d objects", 3, extra={"outcome": "Success", "transaction": "ITI-42", "duration_ms": 12.5})

    record = record_of(json_out)
    assert record.pop("ts").endswith("Z")
    assert list(record.items()) == [
        ("level", "info"),
        ("service", "registry"),
        ("logger", "registry.register"),
        ("msg", "registered 3 objects"),
        ("correlation", "some-request"),
        ("transaction", "ITI-42"),
        ("outcome", "Success"),
        ("duration_ms", 12.5),
    ]


def test_time_is_utc_in_milliseconds(json_out: io.StringIO) -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "y", "levelno": 20, "levelname": "INFO", "created": 0.25})
    log.handle(record)

    assert record_of(json_out)["ts"] == "1970-01-01T00:00:00.250Z"


def test_text_is_for_people() -> None:
    stream = io.StringIO()
    configure("info", "text", "repository", stream)
    log.warning("no room", extra={"free": 0})

    assert stream.getvalue().endswith("Z WARNING repository registry.register: no room free=0\n")


def test_below_the_level_nothing_is_written(out: io.StringIO) -> None:
    log.debug("quiet")

    assert out.getvalue() == ""


@pytest.mark.parametrize(
    "sly", ["a\nb", "a\r\nb", "a\x0bb\x0cc", "a\u2028b\u2029c\x85d", "a\x1b[2Jb", "\u202eab", "\0"]
)
def test_w11_one_record_is_one_line(out: io.StringIO, sly: str) -> None:
    log.info("name %s", sly, extra={"field": sly})
    try:
        raise ValueError(sly)
    except ValueError:
        log.exception("failed")

    lines = out.getvalue().removesuffix("\n").split("\n")
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_s15_no_number_is_written_wherever_it_stands(out: io.StringIO) -> None:
    try:
        raise ValueError(f"duplicate key ({NUMBER}^^^&2.16.840.1.113883.2.1.4.1&ISO)")
    except ValueError:
        log.exception("patient %s", NUMBER, extra={"patient": {"id": "999 000 1006"}, "plain": int(NUMBER)})

    assert NUMBER not in out.getvalue()
    assert "999 000 1006" not in out.getvalue()
    assert "ValueError" in out.getvalue()


def test_s15_a_number_in_the_cause_is_taken_out_too(json_out: io.StringIO) -> None:
    try:
        try:
            raise KeyError(NUMBER)
        except KeyError as cause:
            raise RuntimeError("not found") from cause
    except RuntimeError:
        log.error("failed", exc_info=True)

    record = record_of(json_out)
    assert "KeyError" in record["exception"]
    assert NUMBER not in json_out.getvalue()


def test_a_record_that_does_not_fit_is_written_all_the_same(json_out: io.StringIO) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    log.info("count %d", "many", extra={"odd": Odd()})

    record = record_of(json_out)
    assert record["msg"] == "count %d (its values do not fit)"
    assert record["odd"] == "(a Odd that cannot be shown)"


def test_a_record_is_bounded(json_out: io.StringIO) -> None:
    log.info("x" * 1_000_000, extra={"field": "y" * 1_000_000})

    assert len(json_out.getvalue()) < 20_000


def test_extra_fields_cannot_pose_as_our_own(json_out: io.StringIO) -> None:
    log.info("x", extra={"service": "other", "level": "debug", "ts": "never"})

    record = record_of(json_out)
    assert (record["service"], record["level"]) == ("registry", "info")
    assert record["extra_service"] == "other"


def test_configuring_again_replaces_only_our_own(out: io.StringIO) -> None:
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    second = io.StringIO()
    configure("info", "json", "registry", second)
    log.info("once")

    assert out.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1
    assert other in logging.getLogger().handlers


@pytest.mark.parametrize("name", ["zeep.transports", "sqlalchemy.engine", "urllib3.connectionpool"])
def test_s15_libraries_do_not_log_whole_messages(name: str) -> None:
    configure("debug", "json", "registry", io.StringIO())

    assert not logging.getLogger(name).isEnabledFor(logging.INFO)


def test_a_broken_stream_does_not_stop_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure("info", "json", "registry", stream)
    stream.close()
    log.info("patient %s", NUMBER)

    assert "could not be written" in capsys.readouterr().err


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.text(), st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.none(), max_size=3))
def test_any_record_is_one_readable_line(message: str, value: str, extra: dict[str, object]) -> None:
    stream = io.StringIO()
    logging.getLogger().handlers.clear()  # pytest's own handlers fail on records that do not fit
    configure("info", "json", "registry", stream)
    record = logging.makeLogRecord({"name": "x", "msg": message, "args": (value,), "levelname": "INFO", "levelno": 20})
    record.__dict__.update({f"x{name}": content for name, content in extra.items()})
    log.handle(record)

    assert record_of(stream)["service"] == "registry"


def test_the_filter_never_drops() -> None:
    assert SafeFilter().filter(logging.makeLogRecord({"msg": object(), "args": (1, 2)}))
