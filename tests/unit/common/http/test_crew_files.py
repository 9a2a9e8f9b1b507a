"""A service may have as many files open as it takes connections, as far as it is let."""

from __future__ import annotations

import resource

import pytest

from common.http import crew


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "then"),
    [
        (1024, 524_288, 4096, 4352),
        (1024, resource.RLIM_INFINITY, 4096, 4352),
        (1024, 2048, 4096, 2048),
        (65_536, 65_536, 4096, 65_536),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 4096, 4352),
        (100, 100, 4096, 257),
    ],
)
def test_the_limit_is_raised_as_far_as_it_may_be(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, asked: int, then: int
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: told.append(limits))

    assert crew._files_for(asked) == then
    assert all(limit[0] <= hard or hard == resource.RLIM_INFINITY for limit in told)
