"""What an authority told of a person last: kept whole, and taken apart for searching."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert

from common.db import Statement, Work
from common.demographics import Address, Demographics, PersonName, digits, folded, folded_postcode
from identity.rules.identifiers import Key
from identity.store.tables import demographics, searched

_this = (demographics.c.root == bindparam("b_root"), demographics.c.extension == bindparam("b_extension"))
_FORGET: Final = Statement(delete(demographics).where(*_this))
_FORGET_VALUES: Final = Statement(
    delete(searched).where(searched.c.root == bindparam("b_root"), searched.c.extension == bindparam("b_extension"))
)
_TELL: Final = Statement(insert(demographics).values({each.name: bindparam(each.name) for each in demographics.c}))
_VALUE: Final = Statement(insert(searched).values({each.name: bindparam(each.name) for each in searched.c}))


def tell(work: Work, key: Key, told: Demographics, now: str) -> None:
    """What is told now takes the place of all that was told of this identifier before."""
    this = {"b_root": key.root, "b_extension": key.extension}
    named = {"root": key.root, "extension": key.extension}
    work.run(_FORGET, this)
    work.run(_FORGET_VALUES, this)
    row = {"birth": told.birth, "sex": told.sex, "content": written(told), "told_at": now}
    work.run(_TELL, {**named, **row})
    values = [
        {**named, "number": number, "kind": kind, "one": one, "two": two}
        for number, (kind, one, two) in enumerate(_searched(told))
    ]
    work.run_each(_VALUE, values)


def _searched(told: Demographics) -> Iterator[tuple[str, str, str]]:
    found = [("name", folded(name.family), folded(" ".join(name.given))) for name in told.names]
    for address in told.addresses:
        found += [("postcode", folded_postcode(address.postcode), ""), ("city", folded(address.city), "")]
        found += [("line", folded(line), "") for line in address.lines]
    found += [("phone", digits(phone), "") for phone in told.phones]
    return (each for each in dict.fromkeys(found) if each[1] or each[2])


def written(told: Demographics) -> str:
    """Demographics as they are kept."""
    return json.dumps(asdict(told), ensure_ascii=False, separators=(",", ":"))


def read(content: str) -> Demographics:
    """Demographics as they were kept."""
    kept: dict[str, Any] = json.loads(content)
    return Demographics(
        names=tuple(PersonName(**{**each, "given": tuple(each["given"])}) for each in kept["names"]),
        birth=kept["birth"],
        sex=kept["sex"],
        addresses=tuple(Address(**{**each, "lines": tuple(each["lines"])}) for each in kept["addresses"]),
        phones=tuple(kept["phones"]),
    )
