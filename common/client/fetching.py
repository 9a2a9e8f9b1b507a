"""Fetches documents from all the repositories that hold them, at the same time; one that fails spoils no other."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Final

from common.client.errors import ClientError
from common.client.results import FetchedDocument
from common.client.retrieving import Arriving, Retrieval, missing, retrieval
from common.client.service import Service
from common.client.spool import Spool
from common.client.verifying import Tally
from common.closing import Closing
from common.model import DocumentEntry, RegistryError

AT_ONCE: Final = 500
_TURN: Final = 0.2
Problem = RegistryError | ClientError
Failed = tuple[DocumentEntry, Problem]
# A document, one that failed, a breakdown of ours, or nothing more from this worker.
Item = FetchedDocument | Failed | BaseException | None


@dataclass(frozen=True, slots=True)
class Errand:
    """The entries whose documents one repository holds; ``problem`` where it cannot even be asked."""

    entries: tuple[DocumentEntry, ...]
    service: Service | None = None
    problem: ClientError | None = None


class _Stopped(Exception):  # noqa: N818
    """Nobody wants the rest."""


@dataclass(slots=True)
class _Counter:
    """Where the workers put what they have; what is not yet taken is few documents, so that memory stays flat."""

    room: queue.Queue[Item] = field(default_factory=lambda: queue.Queue(4))
    stopped: threading.Event = field(default_factory=threading.Event)

    def put(self, item: Item) -> None:
        while not self.stopped.is_set():
            try:
                self.room.put(item, timeout=_TURN)
            except queue.Full:
                continue
            return
        raise _Stopped


class Fetched(Closing):
    """Documents as they come in: iterate once, then see in ``errors`` which could not be had, and why.

    Asking begins with the iteration. Leaving it early, ``close`` ends what is still under way.
    """

    def __init__(self, errands: Sequence[Errand], parallel: int) -> None:
        """``parallel`` is how many repositories are asked at a time."""
        self._documents = self._run(errands, parallel)
        self.errors: list[Failed] = []

    def __iter__(self) -> Iterator[FetchedDocument]:
        """The documents that could be had."""
        return self._documents

    def _run(self, errands: Sequence[Errand], parallel: int) -> Iterator[FetchedDocument]:
        counter = _Counter()
        todo: queue.SimpleQueue[Errand] = queue.SimpleQueue()
        for errand in errands:
            todo.put(errand)
        workers = min(parallel, len(errands))
        for _ in range(workers):
            threading.Thread(target=copy_context().run, args=(_work, todo, counter), name="fetch", daemon=True).start()
        try:
            while workers:
                item = counter.room.get()
                if item is None:
                    workers -= 1
                elif isinstance(item, FetchedDocument):
                    yield item
                elif isinstance(item, BaseException):
                    raise item
                else:
                    self.errors.append(item)
        finally:
            counter.stopped.set()

    def close(self) -> None:
        """End what is still under way."""
        close: Callable[[], None] | None = getattr(self._documents, "close", None)
        if close is not None:
            close()


def _work(todo: queue.SimpleQueue[Errand], counter: _Counter) -> None:
    """Run errands until there is none left."""
    try:
        while True:
            try:
                errand = todo.get_nowait()
            except queue.Empty:
                break
            for at in range(0, len(errand.entries), AT_ONCE):
                _run_errand(errand, errand.entries[at : at + AT_ONCE], counter)
        counter.put(None)
    except _Stopped:
        pass
    except BaseException as error:
        # Never leave the reader waiting.
        with suppress(_Stopped):
            counter.put(error)


def _run_errand(errand: Errand, entries: Sequence[DocumentEntry], counter: _Counter) -> None:
    """Each entry ends as a document or as an error, never as both, never as neither."""
    waiting = {entry.entry_uuid: entry for entry in entries}
    try:
        if errand.service is None:
            raise errand.problem or ClientError("no repository to ask")
        with retrieval(errand.service, entries) as found:
            _take(found, waiting, counter)
            for entry in waiting.values():
                counter.put((entry, missing(found, entry)))
    except ClientError as error:
        for entry in waiting.values():
            counter.put((entry, error))
    except OSError as error:
        told = ClientError(f"there is no room to put the document aside: {error.strerror}")
        for entry in waiting.values():
            counter.put((entry, told))


def _take(found: Retrieval, waiting: dict[str, DocumentEntry], counter: _Counter) -> None:
    """Every document that comes, to every entry that points at it."""
    for arriving in found.documents():
        wanted = [entry for entry in waiting.values() if entry.unique_id == arriving.unique_id]
        if not wanted:
            continue
        first = _kept(arriving, wanted[0])
        copies = [_kept(replace(arriving, chunks=first.chunks()), each) for each in wanted[1:]]
        for document in (first, *copies):
            del waiting[document.entry.entry_uuid]
            counter.put(document)


def _kept(arriving: Arriving, entry: DocumentEntry) -> FetchedDocument:
    spool, tally = Spool(), Tally()
    for chunk in arriving.chunks:
        tally.add(chunk)
        spool.write(chunk)
    right = tally.problem(entry) is None
    new, kept = arriving.new_unique_id, arriving.kept
    return FetchedDocument(entry, arriving.mime_type, spool, tally.size, tally.sha1, right, new, kept)
