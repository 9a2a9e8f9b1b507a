"""The outcome matrix: each transaction, asked by each kind of caller. It is docs/security/outcomes.md.

`PORTOLAN_WRITE_PAGES=1` writes the page anew; otherwise it has to be what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.access_cases import CASES, HIDDEN
from tests.access_kit import of_case as keep_case
from tests.assertions import BROKEN, WRAPPED, forged
from tests.outcomes import ASKS, Ground, sent, table, told, wrapped_header
from tests.pages import held
from tests.secure_world import World, a_world, of_a_doctor, of_case, of_nobody
from tests.xua import Sts, security

PAGE = Path(__file__).parents[2] / "docs" / "security" / "outcomes.md"
Header = Callable[[Sts], bytes]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with a_world(tmp_path_factory.mktemp("outcomes"), {}) as made:
        yield made


def row(world: World, ground: Ground, session: requests.Session, header: Header) -> list[str]:
    """What each transaction answers."""
    block = header(world.sts)
    return [told(sent(session, world.urls, ask, ground, block)) for ask in ASKS]


def certificates(world: World, ground: Ground) -> Iterator[tuple[str, list[str]]]:
    folder = world.pki.folder
    for what, place in (
        ("none", None),
        ("of an authority that is not trusted", world.stranger.folder / "portal.pem"),
        ("expired", folder / "expired.pem"),
        ("revoked", folder / "revoked.pem"),
        ("trusted, but not expected", folder / "unexpected.pem"),
    ):
        with world.session(place) as session:
            yield what, row(world, ground, session, of_a_doctor)


def wrapped(sts: Sts, wrap: Callable[[Any, Any], tuple[Any, Any]]) -> bytes:
    real = sts.sign()
    return wrapped_header(wrap(real, forged(real))[0])


def assertions(world: World, ground: Ground) -> Iterator[tuple[str, list[str]]]:
    with world.session(world.pki.folder / "portal.pem") as session:
        yield "none", row(world, ground, session, of_nobody)
        yield "a header without one", row(world, ground, session, lambda _: security())
        for broken in BROKEN:
            yield broken.what, row(world, ground, session, lambda sts, make=broken.make: security(make(sts)))  # type: ignore[misc]
        for what, wrap in WRAPPED.items():
            yield what, row(world, ground, session, lambda sts, wrap=wrap: wrapped(sts, wrap))  # type: ignore[misc]


def those_let_in(world: World) -> Iterator[tuple[str, list[str]]]:
    with world.session(world.pki.folder / "portal.pem") as portal, world.system as system:
        yield "a system that acts for itself", row(world, world.ground(), system, of_nobody)
        for case in CASES:
            alone = not case.agreement and case.search == HIDDEN
            somebody = replace(case, organisation="ZG903") if alone else case
            ground = world.ground(case.confidentiality)
            keep_case(world.database, somebody, ground.patient_id)
            header = of_case(world.sts, somebody, ground.patient_id)
            yield case.name, row(world, ground, portal, lambda _, header=header: header)  # type: ignore[misc]


def test_the_outcomes_of_each_transaction_are_as_the_page_says(world: World) -> None:
    ground = world.ground()
    columns = [ask.transaction.label for ask in ASKS]
    refused = list(certificates(world, ground)), list(assertions(world, ground))
    let_in = list(those_let_in(world))

    for what, cells in refused[0]:
        assert set(cells) == {"TLS alert"}, what
    for what, cells in refused[1]:
        assert all(cell.startswith("400 wsse:") for cell in cells), (what, cells)
    for broken, (_, cells) in zip(BROKEN, refused[1][2:], strict=False):
        assert set(cells) == {f"400 wsse:{broken.kind.subcode.local}"}, broken.what  # type: ignore[union-attr]
    told_of = {"Certificate": refused[0], "Assertion": refused[1], "Known, and allowed or not": let_in}
    held(PAGE, "".join(f"\n## {title}\n\n{table(columns, rows)}" for title, rows in told_of.items()))
