"""The server of MLLP by itself: bounds, times, order, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from common.mllp import Listening, MllpServer

LISTENING = Listening("127.0.0.1", 0, max_bytes=1000, max_connections=3, idle=5, message=5, threads=4)
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def echo(message: bytes) -> bytes:
    return b"ACK " + message


def run(
    conversation: Callable[[MllpServer, Callable[[], Awaitable[Stream]]], Awaitable[None]],
    *,
    handler: Callable[[bytes], bytes] = echo,
    **differs: Any,
) -> None:
    """Have a conversation with a server of its own; connections are closed at the end."""

    async def talk() -> None:
        server, writers = MllpServer(replace(LISTENING, **differs), handler), []
        await server.start()

        async def connect() -> Stream:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writers.append(writer)
            return reader, writer

        try:
            await asyncio.wait_for(conversation(server, connect), 30)
        finally:
            await server.stop(1)
            for writer in writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    asyncio.run(talk())


async def ask(stream: Stream, message: bytes) -> bytes:
    stream[1].write(b"\x0b" + message + b"\x1c\r")
    return await stream[0].readuntil(b"\x1c\r")


async def ended(stream: Stream) -> bool:
    """Whether the server has ended the conversation without a word."""
    with contextlib.suppress(ConnectionError):
        return await stream[0].read(1) == b""
    return True


def test_messages_of_a_connection_are_answered_in_their_order() -> None:
    def slower_and_slower_backwards(message: bytes) -> bytes:
        time.sleep(0.05 if message == b"0" else 0)
        return message

    async def conversation(_: MllpServer, connect: Callable[[], Awaitable[Stream]]) -> None:
        reader, writer = await connect()
        writer.write(b"".join(b"\x0b%d\x1c\r" % number for number in range(5)))
        assert [await reader.readuntil(b"\x1c\r") for _ in range(5)] == [b"\x0b%d\x1c\r" % each for each in range(5)]

    run(conversation, handler=slower_and_slower_backwards)


def test_a_slow_handler_holds_up_nobody_else() -> None:
    release = threading.Event()

    def handler(message: bytes) -> bytes:
        if message == b"slow":
            release.wait(10)
        return message

    async def conversation(_: MllpServer, connect: Callable[[], Awaitable[Stream]]) -> None:
        slow, quick = await connect(), await connect()
        waiting = asyncio.create_task(ask(slow, b"slow"))
        assert await ask(quick, b"quick") == b"\x0bquick\x1c\r"
        release.set()
        assert await waiting == b"\x0bslow\x1c\r"

    run(conversation, handler=handler)


def test_w8_connections_beyond_the_bound_are_refused_and_others_go_on() -> None:
    async def conversation(_: MllpServer, connect: Callable[[], Awaitable[Stream]]) -> None:
        kept = [await connect() for _ in range(3)]
        for stream in kept:
            assert await ask(stream, b"M") == b"\x0bACK M\x1c\r"
        assert await ended(await connect())
        kept[0][1].close()
        await asyncio.sleep(0.1)
        assert await ask(await connect(), b"M") == b"\x0bACK M\x1c\r"

    run(conversation)


@pytest.mark.parametrize(
    ("sent", "differs"),
    [
        (b"", {"idle": 0.2}),
        (b"\x0bMSH|", {"message": 0.2}),
        (b"\x0b" + b"x" * 2000, {}),
        (b"y" * 2000, {}),
        (b"\x0bMSH|\x0b", {}),
    ],
    ids=["idle", "half a message", "endless", "garbage", "within another"],
)
def test_w8_what_is_too_slow_too_long_or_broken_is_closed(sent: bytes, differs: dict[str, Any]) -> None:
    async def conversation(_: MllpServer, connect: Callable[[], Awaitable[Stream]]) -> None:
        stream = await connect()
        stream[1].write(sent)
        assert await ended(stream)

    run(conversation, **differs)


def test_w8_a_message_that_drips_is_closed_when_its_time_is_up() -> None:
    async def conversation(_: MllpServer, connect: Callable[[], Awaitable[Stream]]) -> None:
        reader, writer = await connect()
        began = time.monotonic()
        writer.write(b"\x0b")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof() and time.monotonic() - began < 10:
                writer.write(b"x")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.05)
        assert time.monotonic() - began < 5

    run(conversation, message=0.4)


def test_what_is_being_carried_out_is_answered_before_it_stops() -> None:
    started, release = threading.Event(), threading.Event()

    def handler(message: bytes) -> bytes:
        started.set()
        release.wait(10)
        return message

    async def conversation(server: MllpServer, connect: Callable[[], Awaitable[Stream]]) -> None:
        busy, idle = await connect(), await connect()
        waiting = asyncio.create_task(ask(busy, b"M"))
        await asyncio.to_thread(started.wait, 5)
        stopping = asyncio.create_task(server.stop(5))
        assert await ended(idle)
        release.set()
        assert await waiting == b"\x0bM\x1c\r"
        await stopping
        assert await ended(busy)

    run(conversation, handler=handler)


def test_a_handler_that_breaks_down_costs_its_connection_only() -> None:
    def handler(message: bytes) -> bytes:
        if message == b"bad":
            raise RuntimeError("told to fail")
        return message

    async def conversation(_: MllpServer, connect: Callable[[], Awaitable[Stream]]) -> None:
        bad, good = await connect(), await connect()
        bad[1].write(b"\x0bbad\x1c\r")
        assert await ended(bad)
        assert await ask(good, b"good") == b"\x0bgood\x1c\r"

    run(conversation, handler=handler)
