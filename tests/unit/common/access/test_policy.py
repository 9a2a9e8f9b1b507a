from __future__ import annotations

from pathlib import Path

import pytest

from common.access import AccessPolicyError, load_access_policy, read_access_policy
from common.access.policy import SHIPPED

TEXT = SHIPPED.read_text(encoding="utf-8")


def test_the_shipped_policy_is_read_and_keeps_sealed_documents_sealed() -> None:
    policy = load_access_policy("")

    assert policy.implied == {"gp"}
    assert "sealed" not in policy.emergency_opens | policy.listed
    assert policy == read_access_policy(TEXT)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "', 'nome = "', "nome: there is no such key"),
        ('name = "', 'nome = "', "name: the policy needs one"),
        ('implied = ["gp"]', 'implied = ["vets"]', "consent.implied: a list of gp, health, social, other, unknown is"),
        (
            'implied = ["gp"]',
            "",
            "consent.implied: a list of gp, health, social, other, unknown is expected, and",
        ),
        ('implied = ["gp"]', 'implied = ["gp"]\nmore = 1', "consent.more: there is no such key"),
        ("grace_days = 30", "grace_days = -1", "relationship.grace_days: a number of days"),
        ("unknown_owner_allowed = false", "unknown_owner_allowed = 0", "true or false is expected"),
        ('restricted = ["R"]', "restricted = 1", "a list of codes is expected"),
        ("[listed]\n", '[listed]\nrules = ["sealed"]\n[x]\n', "listed.rules: a list of restricted"),
        ("[rules]", "[rules", "it is no TOML"),
    ],
)
def test_what_is_wrong_with_a_policy_is_told_with_its_place(old: str, new: str, told: str) -> None:
    assert old in TEXT
    with pytest.raises(AccessPolicyError) as raised:
        read_access_policy(TEXT.replace(old, new, 1))

    assert any(told in problem for problem in raised.value.problems), raised.value.problems


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"name = '\xe9'")

    for name, told in (("none", "No such file"), ("latin", "not UTF-8")):
        with pytest.raises(AccessPolicyError, match=told):
            load_access_policy(str(tmp_path / name))
