"""Prints docs/reference/command-line.md from the commands' own help: `python -m console.reference`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from console.cli import portolan

_WIDTH = 100
_HEAD = """# Command line

Printed from `--help` by `python -m console.reference`; a test finds it out of date. Exit codes: 0 done, 1 it could
not be done and stderr says why, 2 wrong usage or wrong settings.
"""


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and those below it, with their whole names."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None  # it was listed
            yield from commands(found, f"{name} {below}")


def help_of(command: click.Command, name: str) -> str:
    """The help as it is shown on a terminal of a fixed width."""
    context = click.Context(command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH)
    context.help_option_names = ["-h", "--help"]
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def reference() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name, command in commands(portolan, "portolan"):
        parts.append(f"## {name}\n\n```text\n{help_of(command, name)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    click.echo(reference(), nl=False)
