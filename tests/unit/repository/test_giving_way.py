"""Uploads give way to shorter work while they are large, and no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from common.web.body import TooLarge
from repository.intake import LARGE, Intake
from repository.storage.folder import FolderStore

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no batch threads")


def policy() -> int:
    return os.sched_getscheduler(0)


def _fill(intake: Intake, size: int) -> None:
    intake.begin("one")
    intake.data(bytes(size))


def test_a_large_document_gives_way_until_it_is_dealt_with(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with Intake(store, max_document=2 * LARGE) as intake:
        intake.begin("one")
        intake.data(bytes(LARGE - 1))
        before = policy()
        intake.data(b"x")
        during = policy()
        intake.end()
    assert (before, during, policy()) == (os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_OTHER)


def test_a_refused_one_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TooLarge), Intake(FolderStore(tmp_path), max_document=LARGE) as intake:
        _fill(intake, LARGE + 1)
    assert policy() == os.SCHED_OTHER


def test_a_system_that_forbids_it_does_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    with Intake(FolderStore(tmp_path), max_document=2 * LARGE) as intake:
        intake.begin("one")
        intake.data(bytes(LARGE))
        intake.end()
