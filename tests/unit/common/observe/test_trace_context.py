"""W3C Trace Context: read from headers, and ignored where it is malformed."""

import pytest

from common.observe.trace_context import TraceContext, read, read_state, write

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


def test_what_is_written_is_read_again() -> None:
    context = TraceContext(int(TRACE, 16), int(SPAN, 16), True, (("rojo", "00f067aa0ba902b7"), ("t61@sys", "lZWR")))

    headers = write(context)

    assert headers == {"traceparent": GOOD, "tracestate": "rojo=00f067aa0ba902b7,t61@sys=lZWR"}
    assert read(headers["traceparent"], headers["tracestate"]) == context


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)])
def test_only_the_last_flag_says_whether_it_is_recorded(flags: str, sampled: bool) -> None:
    found = read(f"00-{TRACE}-{SPAN}-{flags}")

    assert found is not None
    assert found.sampled is sampled


def test_a_later_version_may_say_more() -> None:
    assert read(f"01-{TRACE}-{SPAN}-01-what-will-be") == read(GOOD)
    assert read(f"01-{TRACE}-{SPAN}-01") == read(GOOD)


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "00",
        GOOD.upper(),
        GOOD + "-more",
        GOOD + ".",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0g",
        f"01-{TRACE}-{SPAN}-01" + "-x" * 100,
        f"01-{TRACE}-{SPAN}-01x",
        f"{GOOD}\n",
        f"00-{TRACE}-{SPAN}-\u0661\u0661",
    ],
)
def test_a_malformed_parent_is_ignored(malformed: str) -> None:
    assert read(malformed) is None
    assert read(malformed, "rojo=1") is None


@pytest.mark.parametrize(
    ("written", "members"),
    [
        (None, ()),
        ("", ()),
        ("a=1", (("a", "1"),)),
        (" a=1 ,\tb=2,, ", (("a", "1"), ("b", "2"))),
        ("1a-_*/x=y z", (("1a-_*/x", "y z"),)),
        ("a=" + "v" * 256, (("a", "v" * 256),)),
        (",".join(f"k{number}=1" for number in range(32)), tuple((f"k{number}", "1") for number in range(32))),
    ],
)
def test_members_are_read_in_their_order(written: str | None, members: tuple[tuple[str, str], ...]) -> None:
    assert read_state(written) == members


@pytest.mark.parametrize(
    "malformed",
    [
        "a",
        "=1",
        "a=",
        "A=1",
        "a=1=2",
        "a=1,a=2",
        "a=1\x00",
        "a=\u00e9",
        "a=" + "v" * 257,
        "a=1," * 200,
        ",".join(f"k{number}=1" for number in range(33)),
        "a@b@c=1",
        "nhs=9990001006",
        "nhs=999 000 1006",
    ],
)
def test_a_malformed_state_or_one_that_may_name_a_patient_is_dropped_and_the_parent_kept(malformed: str) -> None:
    found = read(GOOD, malformed)

    assert found is not None
    assert found.state == ()
