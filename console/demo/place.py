"""Where the demonstration takes place: a data directory of its own, ports that are free, services as children."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from common.settings import Settings, load
from common.settings_sources import PREFIX
from common.settings_types import split_bind
from console.failure import Failure
from console.serving.services import SERVICES, Service

LOG: Final = "services.log"
_PATIENCE: Final = 60.0
SHOWN: Final = (SERVICES["registry"], SERVICES["repository"])
"""The services of the demonstration."""


@dataclass(frozen=True)
class Place:
    """The demonstration's settings, and how they differ from those that are in force without it."""

    settings: Settings
    environ: Mapping[str, str]
    moved: Mapping[str, int] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Where the services' log goes."""
        return self.settings.data / LOG


def choose(current: Settings, folder: Path) -> Place:
    """The embedded default in a folder, at the ports of the settings or, where these are taken, at free ones."""
    environ = {f"{PREFIX}DATA": str(folder.absolute()), f"{PREFIX}LOG_LEVEL": "warning"}
    environ[f"{PREFIX}REGISTRY_MLLP_BIND"] = "off"  # the demonstration has no feed
    moved: dict[str, int] = {}
    taken: set[int] = set()
    for service in SHOWN:
        port = _port(service, current, taken)
        if port != service.host_and_port(current)[1]:
            moved[service.name] = port
        taken.add(port)
        environ[f"{PREFIX}{service.name.upper()}_BIND"] = f"127.0.0.1:{port}"
        environ[f"{PREFIX}{service.name.upper()}_URL"] = f"http://127.0.0.1:{port}/{service.name}"
    return Place(load(environ), environ, moved)


def _port(service: Service, current: Settings, taken: set[int]) -> int:
    _, wanted = split_bind(service.bind(current))
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            found = int(listener.getsockname()[1])
            if found not in taken:
                return found
    raise Failure("There is no free port on 127.0.0.1; stop another program and run it again.")


@contextmanager
def services(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """Both services, ready, while the block runs; stopped after it."""
    try:
        place.settings.data.mkdir(parents=True, exist_ok=True)
        with place.log.open("ab") as log:
            names = [service.name for service in SHOWN]
            process = subprocess.Popen(  # noqa: S603 - our own program, by names of our own
                [sys.executable, "-m", "console", "serve", "--end-with-parent", *names],
                env={**_neutral(os.environ), **place.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        raise Failure(
            f"{place.settings.data} cannot be written: {error.strerror}.", "Name another: --keep DIR."
        ) from error
    try:
        for service in SHOWN:
            _await_ready(service.local(place.settings, "/ready"), process, place)
        yield process
    finally:
        process.terminate()
        process.wait()


def _neutral(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of another set-up."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}


def _await_ready(address: str, process: subprocess.Popen[bytes], place: Place) -> None:
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):  # noqa: S310 - our own address
            return
        time.sleep(0.05)
    told = f"A service did not become ready; {place.log} says why"
    last = place.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise Failure(f"{told}: {last[0]}" if last else f"{told}.")
