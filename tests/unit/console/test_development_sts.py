"""The development token service: what it is told stands in the assertion."""

from __future__ import annotations

from common.access import load_access_policy
from common.web.asking import of_caller
from common.xua.caller import read_caller
from console.development_sts import Statement, assertion


def test_the_reason_for_breaking_the_glass_is_read_where_the_shipped_policy_looks_for_it() -> None:
    attribute = load_access_policy("").reason_attribute
    made = assertion(Statement("555000000001", ("https://localhost",), reason="found unconscious"), "urn:x:issuer")

    assert of_caller(read_caller(made, 0.0), attribute).reason == "found unconscious"
    without = assertion(Statement("555000000001", ("https://localhost",)), "urn:x:issuer")
    assert of_caller(read_caller(without, 0.0), attribute).reason == ""
