"""The command line: `portolan`, or `python -m console`."""

from __future__ import annotations

from console.cli import portolan


def main() -> None:
    """Carry out what the command line says, and end with its exit code."""
    portolan(prog_name="portolan")


if __name__ == "__main__":
    main()
