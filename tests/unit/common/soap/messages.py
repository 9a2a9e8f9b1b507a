"""Builders of SOAP messages and multiparts; a test names only what differs."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from common.soap.content_type import parse_content_type
from common.soap.faults import SOAP, WSA
from common.soap.mime import MimeLimits, MultipartDecoder, PartBegin, PartData, PartEnd
from common.soap.mtom import DocumentBegin, DocumentData, DocumentEnd, MtomReader, RootPart

EXAMPLES = Path(__file__).parents[4] / "../shared/examples"
needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the example messages are not beside this checkout")

Part = tuple[dict[str, str], bytes]


def an_envelope(
    header: str = '<wsa:Action s:mustUnderstand="1">urn:x:Do</wsa:Action><wsa:MessageID>urn:uuid:1</wsa:MessageID>',
    body: str = "<a/>",
) -> bytes:
    """A SOAP 1.2 message with these blocks in its Header and this in its Body."""
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:wsa="{WSA}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def a_multipart(parts: Iterable[Part], boundary: str = "b", newline: str = "\r\n") -> bytes:
    """A multipart body with these headers and contents."""
    end = newline.encode()
    out = b""
    for headers, content in parts:
        out += b"--" + boundary.encode() + end
        out += b"".join(f"{name}: {value}".encode() + end for name, value in headers.items())
        out += end + content + end
    return out + b"--" + boundary.encode() + b"--" + end


def cut(data: bytes, size: int) -> Iterator[bytes]:
    """The data in slices of `size` bytes."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


def decode(slices: Iterable[bytes], boundary: str = "b", limits: MimeLimits | None = None) -> list[Part]:
    """The parts of a multipart, each with its data joined."""
    decoder = MultipartDecoder(boundary, limits or MimeLimits())
    parts: list[Part] = []
    held: list[bytes] = []
    ended = 0
    events = [event for piece in slices for event in decoder.feed(piece)]
    for event in [*events, *decoder.close()]:
        if isinstance(event, PartBegin):
            parts.append((event.headers, b""))
            held = []
        elif isinstance(event, PartData):
            held.append(bytes(event.data))
        elif isinstance(event, PartEnd):
            parts[-1] = (parts[-1][0], b"".join(held))
            ended += 1
    assert ended == len(parts)
    return parts


def read_mtom(
    content_type: str, slices: Iterable[bytes], limits: MimeLimits | None = None
) -> tuple[RootPart, Sequence[tuple[str | None, str, bytes]]]:
    """The root part, and each document with its Content-ID and type."""
    reader = MtomReader(parse_content_type(content_type), limits)
    events = [event for piece in slices for event in reader.feed(piece)] + list(reader.close())
    [root] = [event for event in events if isinstance(event, RootPart)]
    documents: list[tuple[str | None, str, bytes]] = []
    for event in events:
        if isinstance(event, DocumentBegin):
            documents.append((event.content_id, event.content_type, b""))
        elif isinstance(event, DocumentData):
            content_id, media, data = documents[-1]
            documents[-1] = (content_id, media, data + bytes(event.data))
    assert len(documents) == sum(isinstance(event, DocumentEnd) for event in events)
    return root, documents


def an_example(name: str) -> tuple[str, bytes]:
    """An example MTOM file's Content-Type and body."""
    head, _, body = (EXAMPLES / name).read_bytes().partition(b"\r\n\r\n")
    line = next(line for line in head.decode().splitlines() if line.lower().startswith("content-type:"))
    return line.partition(":")[2].strip(), body
