from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.access import Act, Decision, Document, Facts, Right, What, Who, decide, load_access_policy, refused_at_all
from common.access.case import standing
from common.access.deciding import explain
from common.access.policy import CAN_BE_LISTED, OPTIONAL
from common.access.rules import BY_NAME, RULES
from common.access.values import (
    Agreement,
    Consent,
    Listed,
    Organisation,
    Relationship,
    RoleRight,
    Span,
    by_role,
)
from tests.access_cases import (
    BREAK_THE_GLASS,
    CASES,
    CLINICIAN,
    FOUND,
    HOSPITAL,
    MANAGER,
    PRACTICE,
    REFUSED,
    RIGHTS,
    SPECIALIST,
    TREATMENT,
    AccessCase,
)

POLICY = load_access_policy("")
NOW = "20260311120000"
BEFORE = Span("20250101000000", "20260101000000")
LATER = Span("20270101000000")
PATIENT = "9990001006^^^&2.16.840.1.113883.2.1.4.1&ISO"
OTHER = "9990001014^^^&2.16.840.1.113883.2.1.4.1&ISO"
LETTER = Document("823651000000106^^S", "373942005^^S", ("N^^C",), (HOSPITAL,))
ORGANISATIONS = {
    HOSPITAL: Organisation(HOSPITAL, "health"),
    PRACTICE: Organisation(PRACTICE, "gp"),
    "ZT90101": Organisation("ZT90101", "health", HOSPITAL),
}
DOCTOR = Who(user="555000000001", roles=frozenset({CLINICIAN}), organisation=PRACTICE, purposes=frozenset({TREATMENT}))
FACTS = Facts(
    rights=by_role(RoleRight(role, Right(right)) for role, rights in RIGHTS.items() for right in rights),
    relationships=(Relationship(PATIENT, PRACTICE), Relationship(PATIENT, HOSPITAL)),
    agreements=(Agreement("county", frozenset({HOSPITAL}), frozenset({PRACTICE})),),
    organisations=ORGANISATIONS,
)


def decided(who: Who = DOCTOR, facts: Facts = FACTS, act: Act = Act.SEARCH, **differs: Any) -> Decision:
    policy, document = differs.pop("policy", POLICY), differs.pop("document", LETTER)
    return decide(who, What(act, document), PATIENT, facts, policy, NOW)


def of_case(case: AccessCase) -> tuple[Who, Document, Facts]:
    who = Who(
        user="555000000001",
        roles=frozenset({case.role}),
        organisation=case.organisation,
        purposes=frozenset({case.purpose}),
        patient_id=OTHER if case.another_patient else PATIENT,
        reason=case.reason,
    )
    facts = replace(
        FACTS,
        relationships=FACTS.relationships if case.related else (),
        agreements=FACTS.agreements if case.agreement else (),
        consents=(
            *((Consent(PATIENT, permits=False),) if case.objection else ()),
            *((Consent(PATIENT, permits=True),) if case.permission else ()),
        ),
    )
    return who, replace(LETTER, confidentiality=(f"{case.confidentiality}^^C",)), facts


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_decided_by_its_rule(case: AccessCase) -> None:
    who, document, facts = of_case(case)

    found = decided(who, facts, document=document)

    assert found.rule == case.rule
    assert found.told == BY_NAME[case.rule].sentence
    assert found.allowed is (case.search == FOUND)
    assert decided(who, facts, Act.READ, document=document).allowed is (case.read == FOUND)
    for act, outcome in ((Act.SUBMIT, case.submit), (Act.UPDATE, case.update), (Act.REMOVE, case.remove)):
        assert decided(who, facts, act, document=None).allowed is (outcome != REFUSED)


def test_every_rule_decides_some_case_or_has_a_test_of_its_own() -> None:
    assert {rule.name for rule in RULES} - {case.rule for case in CASES} == {"nobody", "right-suffices"}
    assert decided(Who()).rule == "nobody"
    assert decided(act=Act.SUBMIT).rule == "right-suffices"


def test_an_explanation_ends_with_the_rule_that_decided() -> None:
    for case in CASES:
        who, document, facts = of_case(case)
        decision, steps = explain(standing(who, facts, POLICY, NOW), What(Act.SEARCH, document), PATIENT)
        assert decision == decided(who, facts, document=document)
        assert [step.decided for step in steps] == [False] * (len(steps) - 1) + [True]
        assert steps[-1].rule.name == decision.rule


def test_who_may_not_do_something_at_all_hears_so_before_any_record_is_looked_at() -> None:
    def refused(who: Who, act: Act) -> str:
        found = refused_at_all(standing(who, FACTS, POLICY, NOW), act)
        return found.rule if found is not None else ""

    assert refused(Who(), Act.SEARCH) == "nobody"
    assert refused(DOCTOR, Act.REMOVE) == "right"
    assert refused(DOCTOR, Act.SEARCH) == ""


def test_what_may_be_listed_is_seen_in_queries_and_is_never_given() -> None:
    listing = replace(POLICY, listed=frozenset(CAN_BE_LISTED))
    without = replace(FACTS, agreements=())

    assert decided(facts=without, policy=listing).shown
    assert not decided(facts=without, policy=listing).allowed
    assert not decided(facts=without, policy=listing, act=Act.READ).shown
    assert not decided(facts=without, policy=replace(POLICY, listed=frozenset())).shown


def test_a_system_has_its_roles_and_organisation_from_the_directory() -> None:
    system = Listed("name:repository.example", organisation=HOSPITAL, roles=frozenset({MANAGER}))
    who = Who(system=("sha256:ab", "name:repository.example"))

    assert decided(who, replace(FACTS, systems={system.name: system})).rule == "any-patient"
    assert decided(who).rule == "right"
    over = replace(system, span=BEFORE)
    assert decided(who, replace(FACTS, systems={system.name: over})).rule == "right"


def test_the_directory_gives_a_user_roles_only_where_the_assertion_has_none_and_the_issuer_is_the_same() -> None:
    without = replace(DOCTOR, roles=frozenset(), issuer="https://a.example")
    listed = Listed(DOCTOR.user, "https://a.example", PRACTICE, frozenset({CLINICIAN}))

    assert decided(without, replace(FACTS, user=listed)).allowed
    assert not decided(replace(without, issuer="https://b.example"), replace(FACTS, user=listed)).allowed
    assert not decided(replace(without, roles=frozenset({"R0^"})), replace(FACTS, user=listed)).allowed


def test_a_right_of_one_organisation_counts_in_it_and_its_sites_alone() -> None:
    rights = by_role(RoleRight(MANAGER, right, HOSPITAL) for right in (Right.SEARCH, Right.ANY_PATIENT))
    facts = replace(FACTS, rights=rights)
    manager = replace(DOCTOR, roles=frozenset({MANAGER}))

    assert decided(replace(manager, organisation="ZT90101"), facts).allowed
    assert decided(manager, facts).rule == "right"


def test_a_site_is_part_of_its_trust_and_needs_no_agreement_with_it() -> None:
    who = replace(DOCTOR, organisation="ZT90101")
    facts = replace(FACTS, agreements=(), consents=(Consent(PATIENT, permits=True),))

    assert decided(who, facts).allowed
    of_site = replace(LETTER, organisations=("ZT90101",))
    assert decided(replace(DOCTOR, organisation=HOSPITAL), facts, document=of_site).allowed


def test_two_sites_of_one_trust_are_the_same_organisation_only_through_it() -> None:
    facts = replace(FACTS, organisations={**ORGANISATIONS, "ZT90102": Organisation("ZT90102", "health", HOSPITAL)})

    found = decided(
        replace(DOCTOR, organisation="ZT90102"), facts, document=replace(LETTER, organisations=("ZT90101",))
    )

    assert found.rule == "agreement"


def test_a_document_of_several_organisations_needs_all_of_them_to_share_it() -> None:
    assert decided(document=replace(LETTER, organisations=(HOSPITAL, "ZX9"))).rule == "agreement"
    assert decided(document=replace(LETTER, organisations=())).rule == "agreement"
    unknown = replace(POLICY, unknown_owner_allowed=True)
    assert decided(document=replace(LETTER, organisations=()), policy=unknown).allowed


@pytest.mark.parametrize(
    ("differs", "covered"),
    [
        ({"type_codes": frozenset({"373942005"})}, True),
        ({"type_codes": frozenset({"823651000000106^^S"})}, True),
        ({"type_codes": frozenset({"1"})}, False),
        ({"purposes": frozenset({TREATMENT})}, True),
        ({"purposes": frozenset({"HRESCH^2.16.840.1.113883.5.8"})}, False),
        ({"providers": frozenset({"*"})}, True),
        ({"recipients": frozenset({"*"})}, True),
        ({"recipients": frozenset({HOSPITAL})}, False),
        ({"span": BEFORE}, False),
        ({"span": LATER}, False),
    ],
)
def test_an_agreement_covers_parties_types_purposes_and_days(differs: dict[str, Any], covered: bool) -> None:
    agreement = replace(FACTS.agreements[0], **differs)

    assert decided(facts=replace(FACTS, agreements=(agreement,))).allowed is covered


def test_of_what_a_patient_said_the_narrower_counts_and_then_the_refusal() -> None:
    refused, permitted = Consent(PATIENT, permits=False), Consent(PATIENT, permits=True)
    for_us = replace(permitted, organisation=PRACTICE)
    not_letters = replace(refused, type_code="373942005", organisation=PRACTICE)

    def allowed(*consents: Consent) -> bool:
        return decided(facts=replace(FACTS, consents=consents)).allowed

    assert not allowed(refused, permitted)
    assert allowed(refused, for_us)
    assert not allowed(refused, for_us, not_letters)
    assert not allowed(refused, for_us, replace(for_us, permits=False))


def test_a_permission_that_is_implied_counts_where_consent_may_be_implied_alone() -> None:
    implied = Consent(PATIENT, permits=True, is_implied=True)
    narrow, wide = replace(implied, type_code=LETTER.type_code), Consent(PATIENT, permits=False)
    there = replace(DOCTOR, organisation=HOSPITAL)

    assert decided(there, replace(FACTS, consents=(implied,))).rule == "consent"
    assert decided(there, replace(FACTS, consents=(implied, Consent(PATIENT, permits=True)))).rule == "care"
    assert decided(there, replace(FACTS, consents=(narrow, Consent(PATIENT, permits=True)))).rule == "care"
    assert decided(there, replace(FACTS, consents=(narrow, wide))).rule == "consent"
    assert decided(facts=replace(FACTS, consents=(narrow, wide))).rule == "care"
    refused = replace(implied, permits=False)
    assert decided(facts=replace(FACTS, consents=(refused,))).rule == "objection"


def test_a_refusal_for_a_purpose_counts_for_whoever_does_not_say_why() -> None:
    facts = replace(FACTS, consents=(Consent(PATIENT, permits=False, purpose="HRESCH"),))

    assert decided(facts=facts).allowed
    assert decided(replace(DOCTOR, purposes=frozenset()), facts).rule == "objection"


def test_a_relationship_of_a_team_or_a_user_is_theirs_alone() -> None:
    team = (Relationship(PATIENT, PRACTICE, team="diabetes"),)
    mine = (Relationship(PATIENT, user=DOCTOR.user),)
    member = Listed(DOCTOR.user, teams=frozenset({"diabetes"}))

    assert decided(facts=replace(FACTS, relationships=team)).rule == "relationship"
    assert decided(facts=replace(FACTS, relationships=team, user=member)).allowed
    assert decided(facts=replace(FACTS, relationships=mine)).allowed
    assert not decided(replace(DOCTOR, user="555000000002"), replace(FACTS, relationships=mine)).allowed


def test_facts_of_an_id_that_was_merged_away_are_the_survivors() -> None:
    facts = replace(FACTS, relationships=(Relationship(OTHER, PRACTICE),))

    assert not decided(facts=facts).allowed
    assert decided(facts=replace(facts, persons={PATIENT: frozenset({PATIENT, OTHER})})).allowed


def test_an_emergency_that_needs_a_reason_is_none_without_it() -> None:
    strict = replace(POLICY, reason_required=True)
    facts = replace(FACTS, relationships=())
    who = replace(DOCTOR, purposes=frozenset({BREAK_THE_GLASS}))

    assert decided(who, facts, policy=strict).rule == "relationship"
    told = decided(replace(who, reason="unconscious"), facts, policy=strict)
    assert (told.rule, told.emergency) == ("emergency", f"{BREAK_THE_GLASS}: unconscious")


def test_a_rule_that_is_switched_off_does_not_decide() -> None:
    without = replace(FACTS, agreements=(), relationships=())

    assert decided(facts=without, policy=replace(POLICY, applies=frozenset())).rule == "care"
    for name in OPTIONAL:
        off = replace(POLICY, applies=POLICY.applies - {name})
        assert decided(facts=without, policy=off).rule != name


SPANS = st.sampled_from([Span(), BEFORE, LATER, Span("20260101000000", "20270101000000")])
CODES = st.sampled_from(["", "373942005", "823651000000106^^S", "1"])
PARTIES = st.frozensets(st.sampled_from([HOSPITAL, PRACTICE, "ZX9", "*"]), max_size=2)
ORGANISATION = st.sampled_from(["", HOSPITAL, PRACTICE, "ZT90101"])
PURPOSE = st.sampled_from(["", TREATMENT, BREAK_THE_GLASS])
RELATIONSHIP = st.builds(
    Relationship, st.sampled_from([PATIENT, OTHER]), ORGANISATION, st.sampled_from(["", "t"]),
    st.sampled_from(["", DOCTOR.user]), SPANS,
)  # fmt: skip
CONSENT = st.builds(Consent, st.sampled_from([PATIENT, OTHER]), st.booleans(), CODES, ORGANISATION, PURPOSE, SPANS)
AGREEMENT = st.builds(
    Agreement, st.just("a"), PARTIES, PARTIES, st.frozensets(CODES.filter(bool), max_size=1),
    st.frozensets(PURPOSE.filter(bool), max_size=1), SPANS,
)  # fmt: skip
RIGHT = st.builds(
    RoleRight, st.sampled_from([CLINICIAN, SPECIALIST]), st.sampled_from(list(Right)), ORGANISATION, SPANS
)
WHO = st.builds(
    Who, user=st.sampled_from(["", DOCTOR.user]), roles=st.frozensets(st.sampled_from([CLINICIAN, SPECIALIST])),
    organisation=ORGANISATION, purposes=st.frozensets(PURPOSE.filter(bool)),
    patient_id=st.sampled_from(["", PATIENT, OTHER]),
)  # fmt: skip
DOCUMENT = st.builds(
    Document, st.just("823651000000106^^S"), st.sampled_from(["373942005^^S", "1^^S"]),
    st.sampled_from([("N^^C",), ("R^^C",), ("V^^C",), ("N^^C", "V^^D")]),
    st.sampled_from([(), (HOSPITAL,), (PRACTICE,), (HOSPITAL, PRACTICE)]),
)  # fmt: skip
QUESTION = st.tuples(WHO, st.builds(What, st.sampled_from(list(Act)), st.one_of(st.none(), DOCUMENT)))


@st.composite
def facts_of(draw: st.DrawFn) -> tuple[list[RoleRight], Facts]:
    rights = draw(st.lists(RIGHT, max_size=8))
    found = Facts(
        by_role(rights),
        tuple(draw(st.lists(RELATIONSHIP, max_size=3))),
        tuple(draw(st.lists(CONSENT, max_size=3))),
        tuple(draw(st.lists(AGREEMENT, max_size=2))),
        ORGANISATIONS,
    )
    return rights, found


@given(QUESTION, facts_of())
def test_a_sealed_document_is_never_seen_without_the_right_to_it(
    question: tuple[Who, What], known: tuple[list[RoleRight], Facts]
) -> None:
    (who, what), (rights, facts) = question, known
    sealed = What(what.act, replace(what.document or LETTER, confidentiality=("V^^C",)))
    held = {each.right for each in rights if each.role in who.roles and each.span.holds(NOW)}

    if what.act in (Act.SEARCH, Act.READ) and Right.SEALED not in held:
        found = decide(who, sealed, PATIENT, facts, replace(POLICY, listed=frozenset(CAN_BE_LISTED)), NOW)
        assert not found.shown


@given(QUESTION, facts_of())
def test_facts_that_are_over_or_have_not_begun_never_count(
    question: tuple[Who, What], known: tuple[list[RoleRight], Facts]
) -> None:
    (who, what), (rights, facts) = question, known
    counting = Facts(
        by_role(each for each in rights if each.span.holds(NOW)),
        tuple(each for each in facts.relationships if each.span.holds(NOW)),
        tuple(each for each in facts.consents if each.span.holds(NOW)),
        tuple(each for each in facts.agreements if each.span.holds(NOW)),
        ORGANISATIONS,
    )

    assert decide(who, what, PATIENT, facts, POLICY, NOW) == decide(who, what, PATIENT, counting, POLICY, NOW)


@given(QUESTION, facts_of(), st.data())
def test_taking_something_away_that_allows_never_allows_more(
    question: tuple[Who, What], known: tuple[list[RoleRight], Facts], data: st.DataObject
) -> None:
    (who, what), (rights, facts) = question, known
    permits = [each for each in facts.consents if each.permits]
    gone = [data.draw(st.sets(st.sampled_from(each))) if each else set() for each in (
        rights, list(facts.relationships), permits, list(facts.agreements)
    )]  # fmt: skip
    less = Facts(
        by_role(each for each in rights if each not in gone[0]),
        tuple(each for each in facts.relationships if each not in gone[1]),
        tuple(each for each in facts.consents if each not in gone[2]),
        tuple(each for each in facts.agreements if each not in gone[3]),
        ORGANISATIONS,
    )

    if not decide(who, what, PATIENT, facts, POLICY, NOW).allowed:
        assert not decide(who, what, PATIENT, less, POLICY, NOW).allowed


@given(QUESTION, facts_of())
def test_a_further_refusal_of_the_patients_never_allows_more(
    question: tuple[Who, What], known: tuple[list[RoleRight], Facts]
) -> None:
    (who, what), (_, facts) = question, known
    more = replace(facts, consents=(*facts.consents, Consent(PATIENT, permits=False)))

    if not decide(who, what, PATIENT, facts, POLICY, NOW).allowed:
        assert not decide(who, what, PATIENT, more, POLICY, NOW).allowed


@given(
    QUESTION, facts_of(), st.sets(st.sampled_from(["restricted", "agreement", "objection", "relationship", "consent"]))
)
def test_breaking_the_glass_opens_what_the_policy_says_and_no_more(
    question: tuple[Who, What], known: tuple[list[RoleRight], Facts], opens: set[str]
) -> None:
    (who, what), (_, facts) = question, known
    emergency = replace(who, purposes=frozenset({BREAK_THE_GLASS}))
    found = decide(emergency, what, PATIENT, facts, replace(POLICY, emergency_opens=frozenset(opens)), NOW)
    calm = decide(emergency, what, PATIENT, facts, replace(POLICY, emergency_purposes=()), NOW)

    if found.allowed and not calm.allowed:
        assert found.emergency
        assert calm.rule in opens


@given(QUESTION, facts_of())
def test_a_user_without_any_right_may_nothing(question: tuple[Who, What], known: tuple[list[RoleRight], Facts]) -> None:
    (who, what), (_, facts) = question, known

    assert not decide(who, what, PATIENT, replace(facts, rights={}), POLICY, NOW).allowed
