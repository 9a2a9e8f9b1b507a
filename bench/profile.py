"""Where the time of each hot path goes: ``python -m bench.profile [path ...]``.

Both services run inside this process, behind WSGI and without a server, so that a profiler sees all that they do;
what the HTTP server and its loop add is the difference to ``bench.run``. The Repository registers with a Registry
of its own process. The profiler makes calls dearer than they are: compare shares, and take times from the first line.
"""

from __future__ import annotations

import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import click

from bench import messages
from common.settings import load
from tests.factories import REPOSITORY_ID, a_patient_id
from tests.running import a_pair
from tests.servers.postgres import new_database, start_postgres

ROOMS = (
    ("parse and write XML", ("common/soap/xml", "common/soap/envelope", "common/soap/addressing", "lxml", "etree")),
    ("multipart", ("common/soap/mime", "common/soap/mtom", "common/soap/part_headers", "common/soap/content_type")),
    ("ebRIM", ("common/ebxml",)),
    ("model", ("common/model", "dataclasses", "enum.py", "<string>")),
    ("rules", ("common/rules", "registry/rules", "repository/rules", "common/hl7", "common/standard", "common/codes")),
    ("database", ("common/db", "registry/store", "sqlalchemy", "psycopg", "select.select", "poll")),
    ("storage", ("repository/storage", "posix.", "_hashlib", "zlib", "_sha")),
    ("way out (ITI-42)", ("common/client", "http/client", "email", "socket", "_socket")),
    ("Flask", ("flask", "werkzeug", "blinker")),
    ("logs and metrics", ("common/observe", "prometheus_client", "logging", "json")),
    ("door", ("common/web",)),
    ("actions", ("registry/", "repository/")),
)


@dataclass(frozen=True, slots=True)
class HotPath:
    """A hot path: the application that serves it, and its messages."""

    name: str
    app: Callable[..., Any]
    make: Callable[[int], messages.Request]
    count: int


def environ(request: messages.Request) -> dict[str, Any]:
    """A request as PEP 3333 has it."""
    head, _, body = b"".join(request.pieces).partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    named = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": line.split()[1],
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": named["content-type"],
        "CONTENT_LENGTH": named["content-length"],
        "HTTP_HOST": named["host"],
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
    }


def exchange(app: Callable[..., Any], asked: dict[str, Any], expect: bytes) -> None:
    """One request, its answer taken in pieces and looked at."""
    body = app(asked, lambda status, headers: None)
    seen = False
    for piece in body:
        seen = seen or expect in piece[:4096] or expect in piece[-4096:] or (len(piece) < 2**18 and expect in piece)
    if hasattr(body, "close"):
        body.close()
    if not seen:
        raise SystemExit("a wrong answer: nothing that was measured is worth anything")


@contextmanager
def paths(scale: float) -> Iterator[list[HotPath]]:
    """Everything started, and the paths."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portolan-profile-")))
        postgres = start_postgres()
        stack.callback(postgres.stop)
        database = new_database(postgres)
        pair = a_pair(data, {"LOG_LEVEL": "warning", "DATABASE": database})
        pair.registry.start()
        stack.callback(pair.registry.stop)
        settings = load({name: value for name, value in pair.registry.environment.items() if "PORTOLAN" in name})
        from registry.app import create_app as registry_app
        from repository.app import create_app as repository_app

        yield _paths(registry_app(settings).wsgi_app, repository_app(settings, sweep=False).wsgi_app, scale)


def _paths(registry: Callable[..., Any], repository: Callable[..., Any], scale: float) -> list[HotPath]:
    url, other = "http://x/registry", "http://x/repository"
    known = {size: a_patient_id() for size in (1, 10, 100)}
    for size, patient in known.items():
        request = messages.register(url, patient, size)
        exchange(registry, environ(request), request.expect)
    kept: dict[int, str] = {}
    for size in (10 * 2**10, 2**20, 100 * 2**20):
        content = messages.document(size)
        request = messages.provide(other, content)
        exchange(repository, environ(request), request.expect)
        kept[size] = content.unique_id

    def times(count: int) -> int:
        return max(3, int(count * scale))

    def find(size: int, leaf: bool = True) -> Callable[[int], messages.Request]:
        return lambda _: messages.find(url, known[size], leaf=leaf)

    def provide(size: int) -> Callable[[int], messages.Request]:
        return lambda _: messages.provide(other, messages.document(size))

    def retrieve(size: int) -> Callable[[int], messages.Request]:
        return lambda _: messages.retrieve(other, kept[size], REPOSITORY_ID)

    return [
        HotPath("iti42", registry, lambda _: messages.register(url, a_patient_id()), times(600)),
        HotPath("find1", registry, find(1), times(1000)),
        HotPath("find10", registry, find(10), times(1000)),
        HotPath("find100", registry, find(100), times(300)),
        HotPath("refs100", registry, find(100, leaf=False), times(600)),
        HotPath("get", registry, lambda _: messages.get(url, kept[10240]), times(1000)),
        HotPath("iti41-10k", repository, provide(10 * 2**10), times(200)),
        HotPath("iti41-1m", repository, provide(2**20), times(60)),
        HotPath("iti41-100m", repository, provide(100 * 2**20), times(3)),
        HotPath("iti43-10k", repository, retrieve(10 * 2**10), times(1000)),
        HotPath("iti43-1m", repository, retrieve(2**20), times(300)),
        HotPath("iti43-100m", repository, retrieve(100 * 2**20), times(5)),
    ]


def room_of(place: str) -> str:
    """Where a function lives, by the row that names it."""
    return next((room for room, marks in ROOMS if any(mark in place for mark in marks)), "Python itself")


def shares(profile: cProfile.Profile) -> tuple[Mapping[str, float], list[tuple[float, str]]]:
    """Each room's own seconds, and the functions with most of their own."""
    rooms: dict[str, float] = {}
    functions: list[tuple[float, str]] = []
    for (file, line, name), row in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        own, callers = row[2], row[4]
        place = f"{file}:{line}({name})"
        functions.append((own, place))
        if file != "~" or room_of(name) != "Python itself":
            rooms[room_of(place)] = rooms.get(room_of(place), 0.0) + own
            continue
        for (caller, number, asked), part in callers.items():  # builtins belong to whoever calls them
            room = room_of(f"{caller}:{number}({asked})")
            rooms[room] = rooms.get(room, 0.0) + part[2]
    return rooms, sorted(functions, reverse=True)


def report(path: HotPath, most: int) -> None:
    """A path's time without the profiler, then where it goes."""
    made = [path.make(number) for number in range(2 * path.count + 2)]
    asked = [(environ(request), request.expect) for request in made]
    for each, expect in asked[:2]:
        exchange(path.app, each, expect)
    begun, spent = time.perf_counter(), time.process_time()
    for each, expect in asked[2 : 2 + path.count]:
        exchange(path.app, each, expect)
    wall, cpu = time.perf_counter() - begun, time.process_time() - spent
    profile = cProfile.Profile()
    profile.enable()
    for each, expect in asked[2 + path.count :]:
        exchange(path.app, each, expect)
    profile.disable()
    rooms, functions = shares(profile)
    total = sum(rooms.values())
    each_ms = 1000 / path.count
    print(f"\n{path.name}: {wall * each_ms:.3f} ms a request, {cpu * each_ms:.3f} ms of them in this process")
    for room, seconds in sorted(rooms.items(), key=lambda item: -item[1]):
        print(f"  {seconds / total:6.1%}  {seconds * each_ms:7.3f} ms  {room}")
    for own, place in functions[:most]:
        print(f"        {own * each_ms:7.3f} ms  {place[-100:]}")


@click.command()
@click.argument("chosen", nargs=-1)
@click.option("--scale", default=1.0, show_default=True, help="Multiplies the number of requests.")
@click.option("--functions", default=0, show_default=True, help="Also print so many functions with the most own time.")
def main(chosen: tuple[str, ...], scale: float, functions: int) -> None:
    """Profile the paths whose names begin with one of CHOSEN; all without."""
    with paths(scale) as found:
        for path in found:
            if not chosen or path.name.startswith(chosen):
                report(path, functions)


if __name__ == "__main__":
    main()
