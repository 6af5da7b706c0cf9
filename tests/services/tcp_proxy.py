"""A TCP proxy that breaks connections in the ways that networks and services do."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

Target = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""

_T = TypeVar("_T")
_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST
# Linux: drop every segment that comes in, as if the cable were cut; needs no privilege.
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
_DROP_PROGRAM = struct.pack("HL", 1, ctypes.addressof(_DROP_ALL))


@dataclass(slots=True)
class _Trap:
    """Where the next cut is to be: after so many bytes of clients, or at a text of theirs."""

    left: int | None = None
    text: bytes | None = None
    answered: bool = False
    sprung: bool = False  # the text has been passed on, its answer is awaited


@dataclass(slots=True, eq=False)
class _Link:
    """A client's connection and the one to the target that was opened for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter

    def reset(self) -> None:
        for writer in (self.client, self.server):
            _reset(writer)

    def close(self) -> None:
        for writer in (self.client, self.server):
            writer.close()


class TcpProxy:
    """Listens on a free port of 127.0.0.1 and forwards to ``target``.

    Runs in a thread of its own; its methods return when what they say is done.

    Args:
        target: Where to forward to.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy")
        self._links: set[_Link] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._passing.set()
        self._delay = 0.0
        self._trap: _Trap | None = None
        self._dropping = False
        self.port = 0
        self.connections = 0
        """How many connections were accepted so far."""
        self.cuts = 0
        """How many connections were cut so far."""
        self._thread.start()
        self.accept()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    def cut(self) -> int:
        """Reset every open connection, on both sides; returns how many there were."""
        return self._call(self._cut)

    def cut_after(self, count: int) -> None:
        """Reset every connection once clients have sent ``count`` further bytes, which pass."""
        self._set(trap=_Trap(left=count))

    def cut_at(self, text: bytes, *, answered: bool) -> None:
        """Reset every connection when a client sends ``text`` in one piece, once.

        Args:
            text: What to wait for.
            answered: Pass the text on and cut when the target has answered it, without
                passing the answer on; else the text itself is not passed on.
        """
        self._set(trap=_Trap(text=text, answered=answered))

    @property
    def armed(self) -> bool:
        """Whether ``cut_after`` or ``cut_at`` still waits for its moment."""
        return self._trap is not None

    def refuse(self) -> None:
        """Take no new connections: they are refused. Open ones stay."""

        def stop() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None

        self._call(stop)

    def accept(self) -> None:
        """Take connections again, on the same port."""

        async def listen() -> None:
            if self._server is None:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
                self.port = int(self._server.sockets[0].getsockname()[1])

        self._await(listen())

    def delay(self, seconds: float) -> None:
        """Hold every piece of data for so long before it is passed on."""
        self._set(delay=seconds)

    def stall(self) -> None:
        """Take connections and their bytes, and pass nothing on: a service that hangs."""
        self._call(self._passing.clear)

    def blackhole(self) -> None:
        """Lose every packet, those of new connections too: a network that is split (Linux)."""

        def split() -> None:
            self._passing.clear()
            self._dropping = True
            for tcp in self._sockets():
                tcp.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _DROP_PROGRAM)

        self._call(split)

    def heal(self) -> None:
        """End ``delay``, ``stall``, ``blackhole``, ``refuse`` and a cut that is still to come.

        What was held is passed on.
        """

        def heal() -> None:
            if self._dropping:
                for tcp in self._sockets():
                    tcp.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
            self._dropping = False
            self._delay = 0.0
            self._trap = None
            self._passing.set()

        self._call(heal)
        self.accept()

    def close(self) -> None:
        """Reset what is open and end the thread; may be called twice."""
        if not self._thread.is_alive():
            return
        self.refuse()
        self.cut()
        self._await(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ended(self) -> None:
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        self.connections += 1
        try:
            # Cancelled by ``close`` only; asyncio would log it as an error of the callback.
            with contextlib.suppress(asyncio.CancelledError):
                await self._forward(reader, writer)
        finally:
            self._handlers.discard(handler)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, server = await self._connect()
        except OSError:
            _reset(writer)
            return
        for stream in (writer, server):
            stream.transport.set_write_buffer_limits(high=0)  # drained means sent
        link = _Link(writer, server)
        self._links.add(link)
        pumps = [
            asyncio.create_task(self._pump(reader, server, up=True)),
            asyncio.create_task(self._pump(answers, writer, up=False)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)
            link.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool
    ) -> None:
        # A connection that one side has reset ends as one that it has closed.
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._passing.wait()
                part = self._before_cut(data, up=up)
                writer.write(data if part is None else part)
                await writer.drain()
                if part is not None:
                    self._trap = None
                    self._cut()

    def _before_cut(self, data: bytes, *, up: bool) -> bytes | None:
        """How much of ``data`` passes before all connections are cut; None for no cut."""
        trap = self._trap
        if trap is None:
            return None
        if not up:
            return b"" if trap.sprung else None
        if trap.left is not None:
            if len(data) >= trap.left:
                return data[: trap.left]
            trap.left -= len(data)
        elif trap.text is not None and trap.text in data:
            if not trap.answered:
                return b""
            trap.sprung = True
        return None

    def _cut(self) -> int:
        links = list(self._links)
        self._links.clear()
        self.cuts += len(links)
        for link in links:
            link.reset()
        return len(links)

    def _sockets(self) -> Iterable[Any]:
        if self._server is not None:
            yield from self._server.sockets
        for link in self._links:
            yield link.client.get_extra_info("socket")

    def _set(self, *, trap: _Trap | None = None, delay: float | None = None) -> None:
        def change() -> None:
            if trap is not None:
                self._trap = trap
            if delay is not None:
                self._delay = delay

        self._call(change)

    def _call(self, function: Callable[[], _T]) -> _T:
        async def call() -> _T:
            return function()

        return self._await(call())

    def _await(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    # A Unix socket takes the option and just closes.
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
