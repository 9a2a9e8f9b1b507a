"""`portolan demo`: a registry and a repository at work, for whoever sees them for the first time."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from types import FrameType

import click

from console import client
from console.cli import config_option, settings
from console.demo import shown
from console.demo.place import Place, choose, services
from console.demo.story import Story, closing_both, happen
from console.failure import Failure
from console.letters.samples import sample_letters


class _Enough(Exception):  # noqa: N818 - nothing went wrong
    """Somebody wants it to end."""


@click.command(short_help="Start both services, submit letters, find them and read them back.")
@click.option("--stay", is_flag=True, help="Keep the services running until Ctrl-C.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data/demo"),
    metavar="DIR",
    show_default=True,
    help="Where database and documents are kept.",
)
@config_option
def demo(stay: bool, keep: Path) -> None:
    """Start both services, submit six letters, find them, read them back, and show what happened.

    The letters are discharge and outpatient letters about three made-up patients, as PDF and as CDA. Everything is
    kept in a folder of its own, and it can be run again.

    \b
    Examples:
      portolan demo
      portolan demo --stay --keep /tmp/portolan
    """
    place = choose(settings(), keep)
    _hear_signals()
    try:
        shown.before(place)
        with services(place) as running:
            story = _tell(place)
            shown.addresses(place)
            shown.next_steps(place, story, stay=stay)
            if stay:
                _wait(running)
    except _Enough:
        click.echo("Stopped.")


def _tell(place: Place) -> Story:
    source, consumer = client.source(place.settings), client.consumer(place.settings)
    with closing_both(source, consumer):
        steps = happen(sample_letters(), source, consumer, client.domain(place.settings))
        for show in (shown.submitted, shown.found, shown.fetched):
            story = next(steps)
            show(story)
    if not all(told.sha1_ok for told in story.letters):
        raise Failure("A document that came back is not the one that was submitted.")
    return story


def _wait(running: subprocess.Popen[bytes]) -> None:
    code = running.wait()
    raise Failure(f"The services ended by themselves (exit code {code}).")


def _hear_signals() -> None:
    """End in the same clean way after Ctrl-C and SIGTERM."""

    def enough(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise _Enough

    signal.signal(signal.SIGINT, enough)
    signal.signal(signal.SIGTERM, enough)
