"""`portolan outbox`: answers that wait, those that were given up, and what becomes of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import urlsplit

import click

from common.outbox.letter import Line, State
from common.outbox.schema import SCHEMA
from common.outbox.store import Store
from common.settings import Settings
from console.cli import config_option, settings
from console.failure import Failure
from console.outbox import is_there, outbox_database, outbox_urls
from console.output import json_option, print_json, print_table, shown_bytes

_MOST = 100_000


@click.group()
def outbox() -> None:
    """Look after answers that are sent asynchronously: list, show, replay, discard.

    An answer waits until its receiver takes it. One that could not be delivered for long is dead: it is kept, and
    nobody tries any more, until it is replayed or discarded.
    """


@outbox.command("list")
@click.option("--dead", is_flag=True, help="Only what was given up.")
@click.option("--all", "everything", is_flag=True, help="What was delivered or discarded, too.")
@click.option("--most", default=1000, show_default=True, type=click.IntRange(1, _MOST), help="How many at most.")
@config_option
@json_option
def list_letters(dead: bool, everything: bool, most: int, as_json: bool) -> None:
    """List what waits and what is dead, the oldest first. No content is shown.

    \b
    Examples:
      portolan outbox list
      portolan outbox list --dead --json
    """
    found = _lines([State.DEAD] if dead else list(State) if everything else [State.WAITING, State.DEAD], most)
    if as_json:
        print_json([_told(line) for line in found])
        return
    rows = [
        (
            line.id,
            _state(line),
            line.transaction,
            line.outcome,
            _host(line),
            _time(line.kept_at),
            line.tries,
            _why(line),
        )
        for line in found
    ]
    print_table(("id", "state", "transaction", "outcome", "to", "since (UTC)", "tries", "why not"), rows)


@outbox.command("show")
@click.argument("name", metavar="ID")
@click.option("--content", is_flag=True, help="Print what is sent instead, which holds PATIENT DATA.")
@config_option
@json_option
def show_letter(name: str, content: bool, as_json: bool) -> None:
    """Show one answer: to whom, since when, how often it was tried and what came of it.

    \b
    Examples:
      portolan outbox show 5f0c2a9d1e7b
      portolan outbox show 5f0c2a9d1e7b --content > answer.xml
    """
    with _holding(name) as (store, line):
        if content:
            kept = store.content(name)
            if kept is None:
                raise Failure(f"The content of {name} is not kept any more: it was {line.state}.")
            click.echo(kept[1], nl=False)
            return
    if as_json:
        print_json(_told(line))
        return
    print_table(("", "answer"), [(key.replace("_", " "), value) for key, value in _shown(line) if value is not None])


@outbox.command("replay")
@click.argument("names", metavar="[ID]…", nargs=-1)
@click.option("--all-dead", is_flag=True, help="Everything that was given up.")
@config_option
def replay(names: tuple[str, ...], all_dead: bool) -> None:
    """Have dead answers delivered after all; a running service does so within a second.

    \b
    Examples:
      portolan outbox replay 5f0c2a9d1e7b
      portolan outbox replay --all-dead
    """
    if bool(names) == all_dead:
        raise click.UsageError("Name the answers, or say --all-dead.")
    chosen = [line.id for line in _lines([State.DEAD], _MOST)] if all_dead else list(names)
    for name in chosen:
        with _holding(name) as (store, line):
            if not store.replay(name):
                raise Failure(f"{name} is not dead, it is {line.state}.")
    click.echo(f"{len(chosen)} will be delivered.")


@outbox.command("discard")
@click.argument("names", metavar="ID…", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; kept with the record. No patient data, please.")
@config_option
def discard(names: tuple[str, ...], reason: str) -> None:
    """Let go of answers that are dead or wait: their content is removed, a record stays for a while.

    \b
    Example:
      portolan outbox discard 5f0c2a9d1e7b --reason "receiver closed down, INC-1042"
    """
    for name in names:
        with _holding(name) as (store, line):
            if not store.discard(name, f"discarded: {reason[:500]}"):
                raise Failure(f"{name} is {line.state} already.")
    logging.getLogger("portolan.outbox").info("answers were discarded", extra={"letters": len(names)})
    click.echo(f"{len(names)} discarded.")


@contextmanager
def _store(current: Settings, service: str) -> Iterator[Store]:
    with outbox_database(current, service) as opened:
        if SCHEMA.current(opened) != SCHEMA.newest():
            raise Failure(f"The outbox of the {service} is not at this release's schema.", "Run `portolan migrate`.")
        yield Store(opened)


def _there(current: Settings) -> list[str]:
    return [service for service, url in outbox_urls(current).items() if is_there(url)]


def _lines(states: Sequence[State], most: int) -> list[Line]:
    current = settings()
    found: list[Line] = []
    for service in _there(current):
        with _store(current, service) as store:
            for state in states:
                found += store.lines(state, most)
    return sorted(found, key=lambda line: (line.kept_at, line.id))[:most]


@contextmanager
def _holding(name: str) -> Iterator[tuple[Store, Line]]:
    """The outbox that has a letter, and what may be shown of it."""
    current = settings()
    for service in _there(current):
        with _store(current, service) as store:
            line = store.line(name)
            if line is not None:
                yield store, line
                return
    raise Failure(f"There is no answer {name!r} in the outbox.", "`portolan outbox list --all` names them.")


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _state(line: Line) -> str:
    return "being sent" if line.being_sent else line.state


def _host(line: Line) -> str:
    parts = urlsplit(line.address)
    return parts.netloc


def _why(line: Line) -> str:
    return line.reason or ""


def _told(line: Line) -> dict[str, object]:
    times = {name: _time(getattr(line, name)) for name in ("kept_at", "due_at", "ended_at")}
    return {**asdict(line), **times}


def _shown(line: Line) -> Iterator[tuple[str, object]]:
    told = _told(line)
    yield from ((name, value) for name, value in told.items() if name not in ("size", "being_sent"))
    yield "size", shown_bytes(line.size)
