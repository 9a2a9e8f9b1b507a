"""The group of all commands; each is imported only when it is used, so that `--help` and completion are quick."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Final

import click

from common.settings import Settings, load
from common.settings_sources import CONFIG
from console.failure import told_in_sentences

COMMANDS: Final = {
    "demo": "console.commands.demo",
    "serve": "console.commands.serve",
    "submit": "console.commands.submit",
    "find": "console.commands.find",
    "fetch": "console.commands.fetch",
    "show": "console.commands.show",
    "amend": "console.commands.amend",
    "deprecate": "console.commands.amend",
    "approve": "console.commands.amend",
    "history": "console.commands.history",
    "acknowledge": "console.commands.acknowledge",
    "on-demand": "console.commands.on_demand",
    "remove": "console.commands.remove",
    "removals": "console.commands.removals",
    "hold": "console.commands.hold",
    "retention": "console.commands.retention",
    "purge": "console.commands.purge",
    "patients": "console.commands.patients",
    "identity": "console.commands.identity",
    "pki": "console.commands.pki",
    "assertion": "console.commands.assertion",
    "access": "console.commands.access",
    "codes": "console.commands.codes",
    "migrate": "console.commands.migrate",
    "outbox": "console.commands.outbox",
    "audit": "console.commands.audit",
    "check": "console.commands.check",
    "doctor": "console.commands.doctor",
    "completion": "console.commands.completion",
}


class Commands(click.Group):
    """The commands in the order of the table above, which is that in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name, imported now; its function is called as its module is."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name])
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Carry out a command; what it raises becomes sentences."""
        with told_in_sentences(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


def settings() -> Settings:
    """The settings of this run, from --config, PORTOLAN_CONFIG and the environment."""
    return load(os.environ)


def use_config(file: Path | None) -> None:
    """Read settings from a file, here and in every process that is started from here."""
    if file is not None:
        os.environ[CONFIG] = str(file.absolute())


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file with settings; PORTOLAN_… in the environment win over it.",
    callback=lambda _context, _parameter, value: use_config(value),
    expose_value=False,
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@config_option
@click.option("--debug", is_flag=True, help="Show where an error came from instead of a sentence.")
@click.version_option(package_name="portolan", prog_name="portolan")
def portolan(debug: bool) -> None:
    """Portolan keeps and finds clinical documents: an IHE XDS.b Registry and Repository.

    \b
    To see it at work:               portolan demo
    To start the services:           portolan serve
    To find a patient's documents:   portolan find 9990001006
    """
