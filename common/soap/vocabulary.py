"""Keeps hostile names from piling up in the parser.

libxml2 keeps every element and attribute name it meets in a dictionary, and lxml gives each thread one that is freed
only with the thread: invented names would grow it without end, and at its limit every later parse in that thread fails.
Honest messages share a few hundred names. So each thread looks at some of its messages, and once it has met too many
names it parses in threads that live for one message. Large messages always do, since there it costs next to nothing.
"""

import re
import threading
from collections.abc import Callable

from lxml import etree

LARGE = 256 * 1024
LOOK_EVERY = 512 * 1024
MOST_NAME_BYTES = 256 * 1024
_DECLARATION = re.compile(rb"""xmlns[^\s=]*\s*=\s*["'][^"']*""")

Job = Callable[[], etree._Element]


class _Names(threading.local):
    """What one thread's parser has seen: names, their size in bytes, and the bytes parsed since the last look."""

    def __init__(self) -> None:
        self.known: set[str | bytes] = set()
        self.size = 0
        self.unseen = 0


_names = _Names()


def parse_contained(data: bytes, job: Job) -> etree._Element:
    """Run the parse here, or in a thread of its own when its names could stay for good."""
    if len(data) > LARGE or _names.size > MOST_NAME_BYTES:
        return _in_own_thread(job)
    root = job()
    _names.unseen += len(data)
    if _names.unseen > LOOK_EVERY:
        _names.unseen = 0
        _look(data, root)
    return root


def _look(data: bytes, root: etree._Element) -> None:
    """Add the message's names to those this thread has met."""
    met: set[str | bytes] = set(_DECLARATION.findall(data))
    for element in root.iter():
        met.add(element.tag)
        met.update(element.keys())
    new = met - _names.known
    _names.size += sum(map(len, new))
    if _names.size <= MOST_NAME_BYTES:
        _names.known |= new


def _in_own_thread(job: Job) -> etree._Element:
    """The job's result, or its exception, from a thread that ends with it."""
    outcome: list[etree._Element | BaseException] = []

    def run() -> None:
        try:
            outcome.append(job())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="parse")
    thread.start()
    thread.join()
    [result] = outcome
    if isinstance(result, BaseException):
        raise result
    return result
