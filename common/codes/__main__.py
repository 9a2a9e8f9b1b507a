"""Checks files of codes: `python -m common.codes FILE…` prints every problem and fails when one is an error."""

import sys
from pathlib import Path

from common.codes.files import SHIPPED, check
from common.codes.listing import Severity


def main(names: list[str]) -> int:
    """Print the problems of each file (the shipped one when none is named); 1 when any is an error, else 0."""
    errors = 0
    for path in [Path(name) for name in names] or [SHIPPED]:
        problems = check(path)
        errors += sum(problem.severity is Severity.ERROR for problem in problems)
        for problem in problems:
            print(f"{path}, {problem}")
        print(f"{path}: {len(problems)} problems" if problems else f"{path}: nothing wrong")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
