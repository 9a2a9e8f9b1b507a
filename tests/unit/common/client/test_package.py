"""What the client offers is there, and is imported only when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import common.client
from common.client import users


@pytest.mark.parametrize("name", users.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(common.client, name) is getattr(users, name)
    assert getattr(common.client, name).__module__.startswith("common.client.")


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        common.client.Nothing  # noqa: B018


def test_a_service_does_not_wait_for_what_users_call() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys, registry.app, repository.app; print('zeep' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == "False"
