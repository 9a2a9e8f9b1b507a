"""What is remembered of assertions that were used: across processes, restarts, and no longer than they count."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from common.xua import NotIdentified, Policy, Seen, Verifier
from common.xua.seen import Found
from tests.unit.common.xua.kit import asked
from tests.xua import AUDIENCE, DOCTOR, Sts

NOW = 1_700_000_000.0


def note(
    seen: Seen, name: str, content: bytes = b"content", who: str = "portal", until: float = NOW + 300, now: float = NOW
) -> Found:
    return seen.note("https://sts.example", name, content, who, until, now)


def test_s8_one_id_is_one_assertion_of_one_partner() -> None:
    seen = Seen()
    assert note(seen, "_1") is Found.GOOD
    assert note(seen, "_1") is Found.GOOD
    assert note(seen, "_1", content=b"other") is Found.OTHER_CONTENT
    assert note(seen, "_1", who="thief") is Found.OTHER_PRESENTER
    assert note(seen, "_2", who="thief") is Found.GOOD


def _in_a_process(file: Path, answers: multiprocessing.Queue[str]) -> None:
    answers.put(note(Seen(file), "_1", who="thief").name)


def test_s8_other_processes_know_and_so_does_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / "deeper" / "seen"
    first, second = Seen(file), Seen(file)
    assert note(first, "_1") is Found.GOOD
    assert note(second, "_1", content=b"other") is Found.OTHER_CONTENT
    answers: multiprocessing.Queue[str] = multiprocessing.get_context("spawn").Queue()
    process = multiprocessing.get_context("spawn").Process(target=_in_a_process, args=(file, answers))
    process.start()
    assert answers.get(timeout=60) == Found.OTHER_PRESENTER.name
    process.join()
    first.close()
    second.close()
    assert note(Seen(file), "_1", content=b"other") is Found.OTHER_CONTENT
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_cut_or_not_ours_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "seen"
    file.write_bytes(b"something else")
    assert note(Seen(file), "_1") is Found.GOOD
    assert note(Seen(file), "_1", who="thief") is Found.OTHER_PRESENTER


def test_many_ids_make_room_of_what_has_expired(tmp_path: Path) -> None:
    seen = Seen()
    for number in range(70_000):
        note(seen, f"_{number}")
    for number in range(70_000, 80_000):
        assert note(seen, f"_{number}", until=NOW + 900, now=NOW + 600) is Found.GOOD
    kept = sum(note(seen, f"_{number}", content=b"x", now=NOW + 600) is Found.OTHER_CONTENT
               for number in range(70_000, 80_000))  # fmt: skip
    assert kept > 9_900


def test_s8_a_verifier_refuses_what_another_has_seen(sts: Sts, tmp_path: Path) -> None:
    def a_verifier(**more: bool) -> Verifier:
        return Verifier(Policy(sts.issuers, frozenset({AUDIENCE}), **more), Seen(tmp_path / "seen"))

    def named(made: object) -> None:
        made.set("ID", "_same")  # type: ignore[attr-defined]

    assertion = sts.sign(change=named)
    assert asked(a_verifier(), assertion, holder="aa" * 32).user == DOCTOR.user
    assert asked(a_verifier(), assertion, holder="aa" * 32).user == DOCTOR.user
    with pytest.raises(NotIdentified, match="another certificate"):
        asked(a_verifier(), assertion, holder="bb" * 32)
    with pytest.raises(NotIdentified, match="same ID"):
        asked(a_verifier(), sts.sign(change=named, user="555000000002"), holder="aa" * 32)


def test_partners_whose_machines_share_users_may_share_assertions(sts: Sts) -> None:
    verifier = Verifier(Policy(sts.issuers, frozenset({AUDIENCE}), of_one_partner=False))
    assertion = sts.sign()
    for holder in ("aa" * 32, "bb" * 32):
        assert asked(verifier, assertion, holder=holder).user == DOCTOR.user


def test_what_has_failed_is_not_remembered(sts: Sts) -> None:
    verifier, assertion = Verifier(Policy(sts.issuers, frozenset({AUDIENCE}))), sts.sign()
    with pytest.raises(NotIdentified, match="expired"):
        asked(verifier, assertion, at=NOW + 10**9, holder="bb" * 32)
    assert asked(verifier, assertion, holder="aa" * 32).user == DOCTOR.user
