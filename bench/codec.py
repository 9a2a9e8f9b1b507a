"""How fast the SOAP and MTOM codecs are: `python -m bench.codec [example folder]`.

Prints one line per figure. Without an example folder a message of about 14 KB is made up.
"""

import gzip
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from lxml import etree

from common.soap.content_type import parse_content_type
from common.soap.envelope import read_envelope, write_envelope
from common.soap.inflate import Inflater
from common.soap.mime import MultipartDecoder
from common.soap.mtom import DocumentData, MtomReader, MtomWriter
from common.soap.transfer import decoder_for
from common.soap.xml import XmlLimits, parse

CHUNK = 256 * 1024
MIB = 2**20
ACTION = "urn:ihe:iti:2007:RegisterDocumentSet-b"


def a_message(folder: str | None) -> bytes:
    """An ITI-42 request: the example, or one of the same size."""
    if folder:
        return (Path(folder) / "iti42-request.xml").read_bytes()
    slot = "<r:Slot name='n{}'><r:ValueList><r:Value>NGH4471893^^^&amp;2.999.1&amp;ISO</r:Value></r:ValueList></r:Slot>"
    body = f"<r:List xmlns:r='urn:r'>{''.join(slot.format(n) for n in range(120))}</r:List>"
    return write_envelope(ACTION, body.encode(), message_id=f"urn:uuid:{uuid4()}")


def microseconds(call: Callable[[], object], rounds: int = 3000) -> float:
    """The best of five means, per call."""
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        for _ in range(rounds // 5):
            call()
        best = min(best, (time.perf_counter() - begun) / (rounds // 5))
    return best * 1e6


def rate(size: int, call: Callable[[], object]) -> float:
    """Gigabytes a second, best of three."""
    return size / microseconds(call, 15) / 1e3


def show(name: str, value: float, unit: str) -> None:
    """One line of the report."""
    print(f"{name:<52}{value:>10.2f} {unit}")


def bench_xml(message: bytes) -> None:
    """The parse and what the checks around it add, then envelopes."""
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, remove_comments=True, remove_pis=True)
    limits = XmlLimits()
    bare = microseconds(lambda: etree.fromstring(message, parser))
    whole = microseconds(lambda: parse(message, limits, "UTF-8"))
    root = parse(message, limits)
    show(f"lxml alone, {len(message)} bytes", bare, "µs")
    show("parse() with its checks", whole, "µs")
    show("checks add", (whole / bare - 1) * 100, "%")
    show("read_envelope()", microseconds(lambda: read_envelope(root)), "µs")
    show("write_envelope()", microseconds(lambda: write_envelope(ACTION, b"<a/>", message_id="urn:uuid:1")), "µs")


def bench_multipart(data: bytes, name: str) -> None:
    """A document of 100 MiB through the decoder alone, then through the MTOM reader."""
    writer = MtomWriter(ACTION)
    content_type = parse_content_type(writer.content_type)
    message = writer.head(b"<a/>") + writer.part_head("doc@x", "application/pdf") + data + writer.tail
    chunks = [message[at : at + CHUNK] for at in range(0, len(message), CHUNK)]

    def multipart() -> None:
        decoder = MultipartDecoder(content_type.params["boundary"])
        for chunk in chunks:
            for _ in decoder.feed(chunk):
                pass
        list(decoder.close())

    def mtom() -> None:
        reader = MtomReader(content_type)
        got = sum(len(e.data) for chunk in chunks for e in reader.feed(chunk) if isinstance(e, DocumentData))
        list(reader.close())
        if got != len(data):
            raise SystemExit("the document is not whole")

    show(f"MultipartDecoder, 100 MiB of {name}", rate(len(message), multipart), "GB/s")
    show(f"MtomReader, 100 MiB of {name}", rate(len(message), mtom), "GB/s")


def bench_encodings() -> None:
    """The slower ways a document may come."""
    encoded = (b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5" + b"\r\n") * (4 * MIB // 68)
    lines = (b"caf=C3=A9 and more text that needs no encoding, up to the soft break=\r\n") * (4 * MIB // 72)
    for name, data in (("base64", encoded), ("quoted-printable", lines)):
        pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]

        def run(name: str = name, pieces: list[bytes] = pieces) -> None:
            decoder = decoder_for(name)
            for piece in pieces:
                decoder.feed(piece)

        show(f"{name}, input", rate(len(data), run), "GB/s")
    packed = gzip.compress(os.urandom(MIB) * 4)
    show("gzip, output", rate(4 * MIB, lambda: [len(p) for p in Inflater(8 * MIB).feed(packed)]), "GB/s")


def main() -> None:
    """All of it."""
    bench_xml(a_message(sys.argv[1] if len(sys.argv) > 1 else None))
    bench_multipart(os.urandom(MIB) * 100, "random bytes")
    bench_multipart((b"OBX|1|TX|||The quick brown fox\r\n" * (MIB // 32)) * 100, "text")
    bench_multipart(b"\r\n" * (50 * MIB), "empty lines")
    bench_encodings()


if __name__ == "__main__":
    main()
