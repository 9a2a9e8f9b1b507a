"""Prints docs/reference/access-rules.md from the tables: ``python -m common.access.manual``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from common.access.policy import CAN_BE_LISTED, CAN_BE_OPENED, OPTIONAL, SHIPPED
from common.access.records import KINDS
from common.access.rules import DEFAULT, RULES
from common.access.values import MEANINGS

_HEAD: Final = """# Access rules

Printed by `python -m common.access.manual`; a test finds it out of date. The rules are looked at in this order, and the
first that decides is the decision; what none of them allows is refused. The rule's name stands in the audit trail, and
is never told to whoever asked. How to set all this up: [the guide](../guide/access.md).
"""


def printed() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| | rule | when it decides | what it says | may be switched off | an emergency may pass it | may be listed |"
    yield "|---|---|---|---|---|---|---|"
    for number, rule in enumerate((*RULES, DEFAULT), 1):
        marks = (rule.name in each for each in (OPTIONAL, CAN_BE_OPENED, CAN_BE_LISTED))
        shown = " | ".join("yes" if mark else "" for mark in marks)
        word = "allows" if rule.allows else "refuses"
        yield f"| {number} | `{rule.name}` | {word} | {rule.sentence} | {shown} |"
    yield "\n## Rights\n\n| right | with it a role may |\n|---|---|"
    for right, meaning in MEANINGS.items():
        yield f"| `{right.value}` | {meaning} |"
    yield "\n## Records\n\nThe fields of files, and of `portolan access`. Several values are separated by spaces."
    for kind in KINDS.values():
        yield f"\n### {kind.name}\n\n| field | |\n|---|---|"
        if kind.makes_key:
            yield f"| `{kind.key}` | Its id; made up where it is empty. |"
        for field in kind.fields:
            notes = [word for word, mark in (("needed", field.required), ("several", field.many)) if mark]
            told = f" ({', '.join(notes)})" if notes else ""
            yield f"| `{field.name}` | {field.told}{told} |"
    yield "\n## The shipped policy\n\nIt is used where the setting `access_policy` is empty.\n\n```toml"
    yield SHIPPED.read_text(encoding="utf-8").rstrip()
    yield "```\n"


if __name__ == "__main__":
    print(printed(), end="")
