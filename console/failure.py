"""What a command says when it cannot do what it was asked to: one or two sentences, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

import click

from common.settings import SettingsError

if TYPE_CHECKING:
    from common.client.errors import ClientError

WRONG_USAGE: Final = 2
HOPELESS: Final = 3
"""The exit code of a server that would fail in the same way if it were started again."""


class Failure(click.ClickException):
    """An end with an exit code, and sentences that say what is wrong and what to do."""

    def __init__(self, *sentences: str, code: int = 1) -> None:
        super().__init__("\n".join(sentences))
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What the process ends with."""
        return self.code

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentences to stderr, each on a line of its own."""
        for line in self.message.splitlines():
            click.echo(f"portolan: {line}", file=file, err=file is None)


@contextmanager
def told_in_sentences(*, debug: bool) -> Iterator[None]:
    """Turn whatever a command raises into a Failure; with `debug` a traceback says it all."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except SettingsError as error:
        raise Failure(*error.problems, code=WRONG_USAGE) from error
    except BrokenPipeError:
        # Whoever reads our output has seen enough, as `head` does.
        raise
    except Exception as error:
        if debug:
            raise
        raise Failure(*sentences(error)) from error


def sentences(error: Exception) -> tuple[str, ...]:
    """What went wrong, for a person; errors that nobody foresaw are named and lead to --debug."""
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return (f"{error.strerror}{where}.",)
    if isinstance(error, ModuleNotFoundError):
        return (f"Portolan is not completely installed: there is no module {error.name}.", "Install it again with pip.")
    # Imported now: the client is slow to import, and most commands have no need of it.
    from common.client.errors import ClientError
    from console.metadata.values import MetadataError

    if isinstance(error, MetadataError):
        return error.problems
    if isinstance(error, ClientError):
        return _of_client(error)
    return (
        f"Something went wrong that should not have: {type(error).__name__}.",
        "Run it again with --debug before the command to see where, and report it.",
    )


def _of_client(error: ClientError) -> tuple[str, ...]:
    """What a service said, or that it said nothing."""
    from common.client.errors import NotReached, Refused, UnknownRepository

    if isinstance(error, Refused):
        return tuple(f"{found.code}: {found.context}" for found in error.errors) or (f"It was refused: {error}.",)
    if isinstance(error, NotReached):
        return (f"A service cannot be reached: {error}.", "See that it runs and `portolan doctor` finds it.")
    if isinstance(error, UnknownRepository):
        return (f"{error}.", "Give its address in PORTOLAN_REPOSITORIES, as UID=URL.")
    return (f"{error}.",)
