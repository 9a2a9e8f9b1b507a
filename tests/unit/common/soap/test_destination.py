"""Where answers may be sent: what is listed, read strictly, and nothing that only looks like it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.soap.destination import Allowed, entries_of, is_special, target_of
from common.soap.faults import SoapFault

LIST = "https://answers.example.nhs.uk/xds, http://10.1.2.3:8080, gateway.example:9443, http://any.example:*"

TAKEN = [
    "https://answers.example.nhs.uk/xds",
    "https://answers.example.nhs.uk/xds/",
    "https://answers.example.nhs.uk/xds/one?to=42",
    "https://answers.example.nhs.uk:443/xds",
    "HTTPS://Answers.Example.NHS.uk/xds",
    "https://answers.example.nhs.uk./xds",
    "http://10.1.2.3:8080/anything",
    "http://[::ffff:10.1.2.3]:8080/",
    "http://[::ffff:a01:203]:8080/",
    "http://gateway.example:9443/",
    "https://gateway.example:9443/x",
    "http://any.example/",
    "http://any.example:65535/",
]

NOT_LISTED = [
    "http://answers.example.nhs.uk/xds",
    "https://answers.example.nhs.uk/",
    "https://answers.example.nhs.uk/xdsother",
    "https://answers.example.nhs.uk:8443/xds",
    "https://answers.example.nhs.uk.evil.example/xds",
    "https://evil.example/?https://answers.example.nhs.uk/xds",
    "https://sub.answers.example.nhs.uk/xds",
    "http://10.1.2.3/",
    "http://10.1.2.4:8080/",
    "http://gateway.example/",
    "https://any.example/",
    "http://localhost/",
    "http://127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
]

NO_ADDRESS = [
    "",
    "answers.example.nhs.uk/xds",
    "ftp://answers.example.nhs.uk/xds",
    "file:///etc/passwd",
    "mailto:someone@example.nhs.uk",
    "urn:uuid:1",
    "https://user@answers.example.nhs.uk/xds",
    "https://answers.example.nhs.uk@evil.example/xds",
    "https://answers.example.nhs.uk\\@evil.example/xds",
    "https://answers.example.nhs.uk/xds/../admin",
    "https://answers.example.nhs.uk/xds/%2e%2e/admin",
    "https://answers.example.nhs.uk/xds/..%2fadmin",
    "https://answers.example.nhs.uk/xds/%2E%2E%2Fadmin",
    "https://answers.example.nhs.uk/xds\\..\\admin",
    "https://answers.example.nhs.uk/xds/%5c..%5cadmin",
    "https://answers.example.nhs.uk/xds#part",
    "https://answers.example.nhs.uk/xds x",
    "https://answers.example.nhs.uk/xds\r\nX-Header: 1",
    "https://answers.example.nhs.uk:0/xds",
    "https://answers.example.nhs.uk:65536/xds",
    "https://answers.example.nhs.uk:*/xds",
    "https://answers.example.nhs.uk:44３/xds",
    "https://änswers.example.nhs.uk/xds",
    "https://ａnswers.example.nhs.uk/xds",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://0177.0.0.1/",
    "http://10.1.2.03:8080/",
    "http://10.1.2.3.:8080./",
    "http://256.1.1.1/",
    "http://[::1/",
    "http://[fe80::1%25eth0]/",
    "http://[v1.x]/",
    "http://-bad.example/",
    "http://bad..example/",
    "http://.example/",
    "http:///x",
    "http:answers",
    "https://answers.example.nhs.uk/%zz",
]


def is_read(reader: Callable[[str], object], text: str) -> bool:
    try:
        reader(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("address", TAKEN)
def test_what_is_listed_is_taken(address: str) -> None:
    Allowed.from_list(LIST, loopback=True).check([address])


@pytest.mark.parametrize("address", [*NOT_LISTED, *NO_ADDRESS])
def test_what_is_not_listed_or_no_address_is_refused_with_the_standards_fault(address: str) -> None:
    with pytest.raises(SoapFault) as caught:
        Allowed.from_list(LIST, loopback=True).check([address])

    assert caught.value.kind.detail_code is not None
    assert caught.value.kind.detail_code.local == "InvalidAddress"


@pytest.mark.parametrize("address", NOT_LISTED)
def test_a_refusal_names_the_setting_and_not_the_list(address: str) -> None:
    with pytest.raises(SoapFault, match="async_reply_to") as caught:
        Allowed.from_list(LIST, loopback=False).check([address])

    assert "example" not in caught.value.reason


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_an_address_that_can_be_read_in_two_ways_is_none(address: str) -> None:
    assert not is_read(target_of, address)


@pytest.mark.parametrize("address", [*TAKEN, *NOT_LISTED, *NO_ADDRESS])
def test_with_nothing_listed_only_the_http_response_is_supported(address: str) -> None:
    with pytest.raises(SoapFault, match="async_reply_to") as caught:
        Allowed.from_list("", loopback=False).check([address])

    assert caught.value.kind.detail_code is not None
    assert caught.value.kind.detail_code.local == "OnlyAnonymousAddressSupported"


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:1/", "http://localhost/x", "https://[::1]:9/", "http://127.8.8.8/", "http://localhost./"],
)
def test_a_service_of_this_machine_alone_answers_to_this_machine(address: str) -> None:
    Allowed.from_list("", loopback=True).check([address])


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1/", "http://localhost.example/", "http://[::2]/", "http://0.0.0.0/"]
)
def test_and_to_no_other(address: str) -> None:
    with pytest.raises(SoapFault):
        Allowed.from_list("", loopback=True).check([address])


SPECIAL = [
    "127.0.0.1",
    "127.255.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "fe80::1",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
]


@pytest.mark.parametrize("resolved", SPECIAL)
def test_a_listed_name_that_leads_to_this_machine_or_to_credentials_is_not_followed(resolved: str) -> None:
    allowed = Allowed.from_list(LIST, loopback=False)

    assert is_special(ipaddress.ip_address(resolved)) or resolved.startswith("::ffff:")
    assert not allowed.reaches(target_of("http://any.example/"), ipaddress.ip_address(resolved))


@pytest.mark.parametrize(
    "resolved", ["10.0.0.7", "192.168.1.1", "172.16.0.1", "fd12::1", "93.184.215.14", "2a00:1450::1"]
)
def test_a_listed_name_may_lead_into_the_hospitals_own_network(resolved: str) -> None:
    allowed = Allowed.from_list(LIST, loopback=False)

    assert allowed.reaches(target_of("http://any.example/"), ipaddress.ip_address(resolved))


def test_a_special_address_is_reached_where_it_is_listed_itself() -> None:
    allowed = Allowed.from_list("http://127.0.0.1:9000,http://169.254.10.10", loopback=False)
    itself = target_of("http://127.0.0.1:9000/")

    assert allowed.takes(itself)
    assert allowed.reaches(itself, ipaddress.ip_address("127.0.0.1"))
    assert not allowed.reaches(itself, ipaddress.ip_address("127.0.0.2"))
    assert allowed.reaches(target_of("http://169.254.10.10/"), ipaddress.ip_address("169.254.10.10"))


@pytest.mark.parametrize(
    "written", ["x y", "http://", "ftp://a", "a/path", "https://u@h", "http://h:0", "http://127.1", "*"]
)
def test_a_list_with_what_is_no_entry_is_no_setting(written: str) -> None:
    assert not is_read(entries_of, f"https://good.example,{written}")


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://127.0.0.1", "http://answers.example.nhs.uk@"]))
def test_no_text_is_taken_by_chance(text: str, start: str) -> None:
    allowed = Allowed.from_list("https://answers.example.nhs.uk/xds", loopback=False)
    try:
        target = target_of(start + text)
    except ValueError:
        return
    assert allowed.takes(target) == (target.host == "answers.example.nhs.uk" and target.path.startswith("/xds"))
