"""An issuer, and whoever believes it."""

from __future__ import annotations

import pytest

from common.xua import Policy, Verifier
from tests.xua import AUDIENCE, Sts


@pytest.fixture(scope="module")
def sts(tmp_path_factory: pytest.TempPathFactory) -> Sts:
    return Sts(tmp_path_factory.mktemp("sts"))


@pytest.fixture
def verifier(sts: Sts) -> Verifier:
    return Verifier(Policy(sts.issuers, frozenset({AUDIENCE})))
