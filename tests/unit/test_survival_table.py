"""Every row of docs/operations/survival.md names tests that are there, and no row is left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "docs" / "operations" / "survival.md").read_text()
NAMED = re.findall(r"`([\w/]+\.py)::(test_\w+)`", TEXT)
ROWS = (
    [f"D{number}" for number in range(1, 17)]
    + [f"R{number}" for number in range(1, 9)]
    + [f"N{number}" for number in (*range(1, 12), 13)]
    + [f"O{number}" for number in range(1, 9)]
    + [f"X{number}" for number in range(1, 16)]
    + [f"M{number}" for number in range(1, 13)]
)


def functions(file: Path) -> set[str]:
    """The tests in a file, those in classes included."""
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("file", sorted({name for name, _ in NAMED}))
def test_the_tests_that_are_named_are_there(file: str) -> None:
    assert {name for path, name in NAMED if path == file} <= functions(TESTS / file)


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_a_test(row: str) -> None:
    [line] = [line for line in TEXT.splitlines() if line.startswith(f"| {row} |")]

    assert "::test_" in line
