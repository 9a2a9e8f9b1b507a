"""The folder store after a kill -9 at each of its steps: what was told is kept, and nothing half-made is seen."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from repository.storage import open_store
from tests.suites.storage_kills import kill_at_every_step
from tests.suites.storage_suite import MIB


@pytest.mark.parametrize("size", [10_000, 3 * MIB], ids=["small", "large"])
def test_d1_killed_at_any_step_the_folder_keeps_what_it_told(tmp_path: Path, size: int) -> None:
    numbers = itertools.count()
    places = kill_at_every_step(lambda: str(tmp_path / str(next(numbers))), open_store, size, tmp_path / "trace")

    for place in places:
        assert os.listdir(f"{place}/incoming") == os.listdir(f"{place}/pending") == []
