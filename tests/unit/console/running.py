"""The command line as child processes, with ports and a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.process import eventually, free_ports

ROOT = Path(__file__).resolve().parents[3]


class Place:
    """A data directory, free ports, and the environment that names them."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder = folder
        self.registry_port, self.repository_port, self.identity_port = free_ports(3)
        self.registry = f"http://127.0.0.1:{self.registry_port}"
        self.repository = f"http://127.0.0.1:{self.repository_port}"
        self.identity = f"http://127.0.0.1:{self.identity_port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTOLAN_")}
        self.environ = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
            "PORTOLAN_DATA": str(folder / "data"),
            # A disk that is slow for a moment is told of in the log, which tests want empty.
            "PORTOLAN_SLOW_QUERY": "1h",
            "PORTOLAN_SLOW_REQUEST": "1h",
            "PORTOLAN_REGISTRY_BIND": self.registry.removeprefix("http://"),
            "PORTOLAN_REGISTRY_URL": f"{self.registry}/registry",
            "PORTOLAN_REGISTRY_MLLP_BIND": "off",
            "PORTOLAN_IDENTITY_BIND": self.identity.removeprefix("http://"),
            "PORTOLAN_IDENTITY_URL": f"{self.identity}/identity",
            "PORTOLAN_IDENTITY_MLLP_BIND": "off",
            "PORTOLAN_REPOSITORY_BIND": self.repository.removeprefix("http://"),
            "PORTOLAN_REPOSITORY_URL": f"{self.repository}/repository",
            **more,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `portolan` with these arguments."""
        return subprocess.Popen(
            [sys.executable, "-m", "console", *arguments],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `portolan` to its end, which is to be this exit code."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.run(*arguments).stdout)

    @contextmanager
    def served(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`portolan serve` while the block runs, ready at its beginning."""
        process = self.start("serve", *arguments)
        try:
            for address in self._addresses(arguments):
                eventually(lambda address=address: ready(address) or process.poll() is not None, address)
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=40)

    def _addresses(self, services: tuple[str, ...]) -> list[str]:
        known = {"registry": self.registry, "repository": self.repository, "identity": self.identity}
        asked = set(known) & set(services) or {"registry", "repository"}
        return [address for name, address in known.items() if name in asked]


def ready(address: str) -> bool:
    """Whether a service says that it can work."""
    try:
        with urllib.request.urlopen(f"{address}/ready", timeout=3) as answer:
            return bool(json.load(answer)["ready"])
    except (OSError, ValueError):
        return False
