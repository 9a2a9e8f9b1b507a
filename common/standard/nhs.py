"""The NHS Number (NHS Data Dictionary, NHS NUMBER): ten digits, the last one a check digit, Modulus 11."""

from __future__ import annotations

_WEIGHTS = range(10, 1, -1)


def check_digit(first_nine: str) -> str | None:
    """The tenth digit to nine; ``None`` where no valid number has these nine."""
    total = sum(int(digit) * weight for digit, weight in zip(first_nine, _WEIGHTS, strict=True))
    check = 11 - total % 11
    return None if check == 10 else "0" if check == 11 else str(check)


def nhs_number_problem(number: str, *, test_numbers: bool = True) -> str | None:
    """What is wrong with an NHS Number, in words that do not repeat it; ``None`` for a valid one."""
    if len(number) != 10 or not number.isascii() or not number.isdigit():
        return "an NHS Number has ten digits, without spaces"
    if check_digit(number[:9]) != number[9]:
        return "the NHS Number's check digit is wrong (Modulus 11)"
    if not test_numbers and number.startswith("999"):
        return "NHS Numbers of the 999 range are for tests, and this domain does not take them"
    return None
