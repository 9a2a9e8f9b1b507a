"""In whose name a message is sent is read as it was written, and only where it is said once."""

from __future__ import annotations

import pytest
from lxml import etree

from common.access import Who
from common.access.asking import heard, told
from common.soap.behalf import read_behalf, write_behalf

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WHO = Who(
    "555<&>\"1", "https://idp.example", ("name:a", "name:b"), frozenset({"R1^2.999", "R2^2.999"}), "ZG902",
    frozenset({"TREAT^2.999"}), "9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO", "found unconscious",
)  # fmt: skip


def header(*blocks: bytes) -> etree._Element:
    return etree.fromstring(b'<s:Header xmlns:s="%b">%b</s:Header>' % (SOAP.encode(), b"".join(blocks)))


@pytest.mark.parametrize("who", [WHO, Who(), Who(system=("sha256:00",))], ids=["user", "nobody", "system"])
def test_whoever_is_told_is_heard(who: Who) -> None:
    given = read_behalf(header(write_behalf(told(who))))

    assert given is not None
    assert heard(given) == who


def test_nobody_is_heard_where_nobody_or_more_than_one_is_told() -> None:
    block = write_behalf(told(WHO))

    assert read_behalf(None) is None
    assert read_behalf(header(b"<a/>")) is None
    assert read_behalf(header(block, block)) is None
    other = block.replace(b"<o:Value", b"<o:Other").replace(b"</o:Value", b"</o:Other")
    given = read_behalf(header(other))
    assert given is not None
    assert heard(given) == Who()
