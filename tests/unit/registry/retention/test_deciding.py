"""How long documents are kept: the longest rule counts, and doubt keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.retention import SHIPPED
from registry.retention.deciding import Facts, age_at, day_of, decide, families, years_after
from registry.retention.policy import PolicyError, read_policy

NHS = read_policy(SHIPPED.read_text(encoding="utf-8"))
SCHEME = "^^2.16.840.1.113883.6.96"
OF_A_TYPE = """
name = "p"
[[rule]]
name = "r"
source = "s"
type_codes = ["{}"]
keep = [{{ years = 1, after = "creation" }}]
"""
ADULT = Facts(
    "urn:uuid:1",
    f"823651000000106{SCHEME}",
    f"824331000000106{SCHEME}",
    f"394802001{SCHEME}",
    f"22232009{SCHEME}",
    service_stop=date(2010, 3, 1),
    creation=date(2010, 3, 2),
    last_seen=date(2012, 5, 5),
    birth=date(1950, 6, 1),
    death=None,
)


def end_of(facts: Facts) -> date:
    """The first day on which the shipped policy lets a document go; the day before it does not."""
    day = date(2000, 1, 1)
    while not decide(facts, NHS, day).may_go:
        day += timedelta(days=1)
        assert day.year < 2150, decide(facts, NHS, day)
    return day


def test_an_adults_record_is_kept_8_years_after_the_patient_was_last_seen() -> None:
    assert end_of(ADULT) == date(2020, 5, 5)
    assert decide(ADULT, NHS, date(2020, 5, 4)).reason.startswith("kept until 8 years after the patient was last seen")


def test_a_childs_record_is_kept_to_the_25th_birthday_or_the_26th() -> None:
    child = replace(ADULT, birth=date(2000, 2, 29))
    assert end_of(replace(child, last_seen=date(2012, 5, 5))) == date(2025, 3, 1)
    assert end_of(replace(child, last_seen=date(2017, 6, 1))) == date(2026, 3, 1)
    assert end_of(replace(child, last_seen=date(2020, 6, 1))) == date(2028, 6, 1)


def test_mental_health_is_kept_20_years_or_10_after_death_if_sooner() -> None:
    record = replace(ADULT, practice_setting_code=f"394587001{SCHEME}")
    assert end_of(record) == date(2032, 5, 5)
    assert end_of(replace(record, death=date(2013, 1, 1))) == date(2023, 1, 1)
    assert end_of(replace(record, death=date(2031, 1, 1))) == date(2032, 5, 5)


def test_a_general_practice_record_is_kept_as_long_as_no_death_is_known() -> None:
    record = replace(ADULT, practice_setting_code=f"394814009{SCHEME}")
    verdict = decide(record, NHS, date(2149, 1, 1))
    assert (verdict.may_go, verdict.reason) == (False, "the date of death is unknown")
    assert end_of(replace(record, death=date(2013, 1, 1))) == date(2023, 1, 1)


def test_unconfirmed_rules_let_nothing_go() -> None:
    record = replace(ADULT, practice_setting_code=f"394592004{SCHEME}", death=date(2013, 1, 1))
    verdict = decide(record, NHS, date(2149, 1, 1))
    assert (verdict.may_go, verdict.rule) == (False, "cancer and long-term illness")


@pytest.mark.parametrize("missing", ["birth", "last_seen"])
def test_what_is_unknown_keeps(missing: str) -> None:
    assert not decide(replace(ADULT, **{missing: None}), NHS, date(2149, 1, 1)).may_go


def test_what_no_rule_is_about_is_kept() -> None:
    assert not decide(ADULT, read_policy(OF_A_TYPE.format("other")), date(2149, 1, 1)).may_go


def test_a_code_may_be_given_with_its_scheme() -> None:
    for code, may_go in (("824331000000106", True), (ADULT.type_code, True), ("824331000000106^^1.2.3", False)):
        assert decide(ADULT, read_policy(OF_A_TYPE.format(code)), date(2149, 1, 1)).may_go is may_go


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 60))
def test_later_never_keeps_what_may_go_already(last_seen: date, years: int) -> None:
    record = replace(ADULT, last_seen=last_seen)
    day = years_after(last_seen, years)
    if decide(record, NHS, day).may_go:
        assert decide(record, NHS, day + timedelta(days=365)).may_go


def test_partial_times_mean_the_last_day_that_they_may() -> None:
    assert [day_of(each) for each in ("2010", "201002", "20100203101112", None, "", "2010023", "20101399", "x")] == [
        date(2010, 12, 31), date(2010, 2, 28), date(2010, 2, 3), None, None, None, None, None,
    ]  # fmt: skip
    assert age_at(date(2000, 6, 2), date(2018, 6, 1)) == 17
    assert years_after(date(2024, 2, 29), 1) == date(2025, 3, 1)


def test_families_are_what_is_tied_however_far() -> None:
    found = set(families("abcde", [("a", "b"), ("c", "b"), ("d", "elsewhere")]))
    assert found == {frozenset("abc"), frozenset("d"), frozenset("e")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "no TOML"),
        ("", "name: the policy needs one"),
        ('name = "p"', "rule: there is none"),
        ('name = "p"\nrule = [1]', "rule 1: it is no table"),
        ('name = "p"\n[[rule]]\nname = "r"', "source: it needs one"),
        ('name = "p"\n[[rule]]\nname = "r"\nsource = "s"\nkeep = []', "keep: a list of periods"),
        ('name = "p"\n[[rule]]\nname = "r"\nsource = "s"\nkeep = [{years = 8}]', "each period has years and after"),
        (
            'name = "p"\n[[rule]]\nname = "r"\nsource = "s"\nkeep = [{years = 8, after = "lunch"}]',
            "after is one of service_stop",
        ),
        (
            'name = "p"\n[[rule]]\nname = "r"\nsource = "s"\nkeep = [{years = 8, after = "death"}]\nage_form = 1',
            "age_form: there is no such field",
        ),
        (
            'name = "p"\n[[rule]]\nname = "r"\nsource = "s"\nkeep = [{years = 8, after = "death"}]\nage_from = true',
            "age_from: a number of years",
        ),
        (
            'name = "p"\n[[rule]]\nname = "r"\nsource = "s"\nkeep = [{years = 8, after = "death"}]\nconfirmed = 1',
            "confirmed: true or false",
        ),
        (
            'name = "p"\n[[rule]]\nname = "r"\nsource = "s"\nkeep = [{years = 8, after = "death"}]\nchoose = "any"',
            "choose: first, last",
        ),
        (
            'name = "p"\n[[rule]]\nname = "r"\nsource = "s"\nkeep = [{years = 8, after = "death"}]\ntype_codes = "a"',
            "type_codes: a list of codes",
        ),
    ],
)
def test_a_policy_that_cannot_be_understood_is_told_of_with_its_place(text: str, told: str) -> None:
    with pytest.raises(PolicyError) as error:
        read_policy(text)
    assert any(told in problem for problem in error.value.problems), error.value.problems


def test_every_rule_that_is_shipped_names_its_source() -> None:
    assert all("Records Management Code" in rule.source for rule in NHS.rules)
    assert {rule.name for rule in NHS.rules if not rule.confirmed} == {
        "cancer and long-term illness", "sexual health",
    }  # fmt: skip
