"""Reads a file of codes in whichever form it is, and gives sets or problems."""

from pathlib import Path
from typing import Final

from common.codes import own_format, toolkit_format
from common.codes.checks import examine
from common.codes.listing import Listing, Problem, Severity
from common.codes.sets import CodeSets, sets_from

SHIPPED: Final = Path(__file__).with_name("nhs.toml")
"""The set for an English affinity domain that is used when no file is set."""

_MOST: Final = 16 * 1024 * 1024


class CodesError(Exception):
    """A file of codes that cannot be used; `problems` holds its errors."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        super().__init__("\n".join(f"{path}, {problem}" for problem in problems))
        self.problems = tuple(problems)


def load(path: Path = SHIPPED) -> CodeSets:
    """The sets of a file in our own form or a codes.xml; CodesError when it has errors."""
    listing = _read(path)
    errors = [problem for problem in examine(listing) if problem.severity is Severity.ERROR]
    if errors:
        raise CodesError(path, errors)
    return sets_from(listing)


def check(path: Path) -> list[Problem]:
    """Everything that is wrong with a file of codes, errors and warnings, in the order of its lines."""
    return examine(_read(path))


def _read(path: Path) -> Listing:
    """The listing of a file; what keeps it from being read is a problem in it."""
    unreadable = Listing("toml")
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST + 1)
    except OSError as error:
        unreadable.error(None, f"the file cannot be read: {error.strerror}")
        return unreadable
    if len(content) > _MOST:
        unreadable.error(None, f"the file is larger than {_MOST} bytes")
        return unreadable
    # A codes.xml begins with an element or declaration, maybe in UTF-16; no TOML file begins so.
    if content.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
        return toolkit_format.read(content)
    try:
        return own_format.read(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        unreadable.error(None, "the file is not UTF-8")
        return unreadable
