"""Takes NHS Numbers out of text that is not meant to hold any: the last line of defence, not the first."""

import re
from typing import Final

from common.standard.nhs import nhs_number_problem

REDACTED: Final = "[NHS Number]"

_TEN_DIGITS: Final = re.compile(r"(?<![0-9])([0-9]{3})([ \u00a0-]?)([0-9]{3})([ \u00a0-]?)([0-9]{4})(?![0-9])")


def redacted(text: str) -> str:
    """The text without what could be NHS Numbers: ten digits, plain or 3 3 4, with a right check digit."""
    return _TEN_DIGITS.sub(_replacement, text)


def _replacement(found: re.Match[str]) -> str:
    return found[0] if nhs_number_problem(found[1] + found[3] + found[5]) else REDACTED
