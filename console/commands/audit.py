"""`portolan audit`: the audit trail."""

from __future__ import annotations

import click

from console.commands.audit_spool import spool


@click.group()
def audit() -> None:
    """Look after the audit trail."""


audit.add_command(spool)
