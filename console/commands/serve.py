"""`portolan serve`: start one service or all."""

from __future__ import annotations

import errno
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from common.codes import CodesError, load
from common.mllp import BACKLOG
from common.settings import Settings
from console.cli import config_option, settings
from console.failure import Failure
from console.serving import feeds
from console.serving.parent import end_with_parent
from console.serving.server import run
from console.serving.services import FEEDS, SERVICES, USUAL, Service, with_companions
from console.serving.supervisor import Child, Supervisor

_PREDECESSOR: Final = 6.0
"""Seconds for processes whose supervisor was killed to end, imports and all."""


@click.command()
@click.argument("services", metavar="[SERVICE]…", nargs=-1, type=click.Choice([*SERVICES, *FEEDS]))
@config_option
@click.option("--no-migrate", is_flag=True, help="Refuse to start when the database's schema is behind.")
@click.option("--end-with-parent", "bound", is_flag=True, hidden=True)
@click.option("--child-of", "parent", type=int, hidden=True)
@click.option("--listen-fd", type=int, hidden=True)
def serve(services: tuple[str, ...], no_migrate: bool, bound: bool, parent: int | None, listen_fd: int | None) -> None:
    """Start services, and keep them running until Ctrl-C or SIGTERM.

    SERVICE is registry, repository, identity or audit; without one, registry and repository are started. With the
    Registry and the cross-reference service (identity) go their listeners for patient feeds
    (PORTOLAN_REGISTRY_MLLP_BIND, PORTOLAN_IDENTITY_MLLP_BIND), with the audit record repository (audit) its listener
    for syslog (PORTOLAN_AUDIT_REPOSITORY_BIND). Databases are brought to this release's schema first. Each service has
    a process with workers of its own; one that dies is replaced.

    \b
    Examples:
      portolan serve
      portolan serve registry repository identity
      portolan serve registry --config /etc/portolan.toml
      PORTOLAN_DATA=/srv/portolan portolan serve
    """
    current = settings()
    if parent is not None:
        _run_child(services[0], current, migrate=not no_migrate, supervisor=parent, listen_fd=listen_fd)
        return
    for name in set(services) & set(FEEDS):
        raise click.UsageError(f"The listener {name} is started with the service {FEEDS[name].after}.")
    chosen = [SERVICES[name] for name in dict.fromkeys(services or USUAL)]
    if bound:
        end_with_parent()
    supervise(chosen, current, ["--no-migrate"] if no_migrate else [])


def _run_child(name: str, current: Settings, *, migrate: bool, supervisor: int, listen_fd: int | None) -> None:
    if name in FEEDS:
        feeds.run(feeds.SOURCES[name], current, supervisor, listen_fd)
    else:
        end_with_parent(supervisor)
        run(SERVICES[name], current, migrate=migrate)


def supervise(chosen: Sequence[Service], current: Settings, options: Sequence[str]) -> None:
    """Run services until a signal, saying where each is as soon as it answers."""
    chosen = with_companions(chosen, current)
    for service in chosen:
        see_that_port_is_free(service, current)
    names = {service.name for service in chosen}
    if "registry" in names and current.codes_file:
        see_that_codes_can_be_used(current.codes_file)
    if "repository" in names and current.bucket is None:
        see_that_folder_can_be_written(Path(current.storage_url))
    children = [Child(service, current, options, _listener(service, current)) for service in chosen]
    Supervisor(children, lambda child: click.echo(child.service.told(current))).run()


def _listener(service: Service, current: Settings) -> socket.socket | None:
    """A socket that listens from now on, for a service that is not the first to start: nobody is turned away."""
    if not service.after:
        return None
    host, port = service.host_and_port(current)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def see_that_codes_can_be_used(file: Path) -> None:
    """Failure for a file of codes with errors: no worker could start with it."""
    try:
        load(file)
    except CodesError as error:
        raise Failure(
            f"The codes of PORTOLAN_CODES cannot be used: {file}, {error.problems[0]}.",
            f"`portolan codes check {file}` lists all that is wrong with them.",
        ) from error


def see_that_folder_can_be_written(folder: Path) -> None:
    """Failure for a folder where no document could be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return  # what is there can still be read; submissions are refused until there is room
        raise Failure(
            f"Documents cannot be kept in {folder} (setting PORTOLAN_STORAGE): {error.strerror}.",
            "Give this user the right to write there, or name another folder.",
        ) from error


def _try_to_bind(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)


def see_that_port_is_free(service: Service, current: Settings) -> None:
    """Failure when the address cannot be listened on; the workers share theirs and would not notice.

    What a supervisor that was killed has left behind lets go of its ports by itself, and is waited for.
    """
    host, port = service.host_and_port(current)
    setting = f"PORTOLAN_{service.bind_setting.upper()}"
    until = time.monotonic() + _PREDECESSOR
    try:
        while True:
            try:
                _try_to_bind(host, port)
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > until:
                    raise
            time.sleep(0.05)
    except PermissionError as error:
        raise Failure(
            f"The {service.name} may not listen on port {port}; choose one from 1024 in {setting}."
        ) from error
    except OSError as error:
        if error.errno and "in use" in str(error.strerror):
            raise Failure(
                f"Port {port} is in use by another program; stop it, or give the {service.name} another port in "
                f"{setting}."
            ) from error
        raise Failure(f"The {service.name} cannot listen on {host} (setting {setting}): {error.strerror}.") from error
