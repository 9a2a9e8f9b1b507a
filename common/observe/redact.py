"""Takes NHS Numbers out of text that is not meant to hold any: the last line of defence, not the first."""

import re
from typing import Final

REDACTED: Final = "[NHS Number]"

_TEN_DIGITS: Final = re.compile(r"(?<![0-9])([0-9]{3})([ \u00a0-]?)([0-9]{3})([ \u00a0-]?)([0-9]{4})(?![0-9])")


def redacted(text: str) -> str:
    """The text without what could be NHS Numbers: ten digits, plain or 3 3 4, with a right check digit."""
    return _TEN_DIGITS.sub(_replacement, text)


def _replacement(found: re.Match[str]) -> str:
    return REDACTED if has_right_check_digit(found[1] + found[3] + found[5]) else found[0]


def has_right_check_digit(digits: str) -> bool:
    """Whether ten digits pass the NHS Number's check (modulus 11, NHS Data Dictionary)."""
    weighted = sum(int(digit) * weight for digit, weight in zip(digits[:9], range(10, 1, -1), strict=True))
    return (11 - weighted % 11) % 11 == int(digits[9])
