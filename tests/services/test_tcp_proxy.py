"""The proxy breaks connections as it says, and otherwise passes every byte on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.tcp_proxy import TcpProxy
from tests.waiting import wait_until


class Echo:
    """Sends back what it is sent, in upper case."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.received = bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.received += data
                    connection.sendall(data.upper())
            except OSError:
                return


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def echo(server: socket.socket) -> Echo:
    return Echo(server)


@pytest.fixture
def proxy(server: socket.socket, echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy(server.getsockname()) as running:
        yield running


def connect(proxy: TcpProxy, timeout: float = 10) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout)


def exchange(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return received(client, len(data))


def received(client: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (data := client.recv(count - len(got))):
        got += data
    return got


def test_bytes_pass_both_ways_and_connections_are_counted(proxy: TcpProxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        assert exchange(one, b"hello") == b"HELLO"
        assert exchange(other, b"you") == b"YOU"
        assert (proxy.connections, proxy.open) == (2, 2)
    large = b"x" * 3_000_000
    with connect(proxy) as client:
        threading.Thread(target=client.sendall, args=(large,)).start()
        assert received(client, len(large)) == large.upper()
    assert proxy.connections == 3


def test_a_unix_socket_may_be_the_target(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        Echo(server)
        with TcpProxy(path) as proxy, connect(proxy) as client:
            assert exchange(client, b"hello") == b"HELLO"
        server.shutdown(socket.SHUT_RDWR)


def test_what_the_target_said_before_it_closed_arrives() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        TcpProxy(server.getsockname()) as proxy,
        connect(proxy) as client,
    ):
        accepted, _ = server.accept()
        accepted.sendall(b"good" * 100_000)
        accepted.close()
        assert len(received(client, 400_001)) == 400_000


def test_a_target_that_is_away_resets_the_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        away = server.getsockname()
    # The reset may come before connecting is even done.
    with TcpProxy(away) as proxy, pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)


def test_cut_resets_every_connection(proxy: TcpProxy) -> None:
    with connect(proxy) as one, connect(proxy) as other:
        exchange(one, b"a")
        exchange(other, b"b")
        assert proxy.cut() == 2
        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        assert (proxy.cuts, proxy.open) == (2, 0)
    with connect(proxy) as again:
        assert exchange(again, b"c") == b"C"


def test_cut_after_lets_so_many_bytes_pass_and_strikes_once(proxy: TcpProxy, echo: Echo) -> None:
    proxy.cut_after(5)
    with connect(proxy) as client:
        assert exchange(client, b"abc") == b"ABC"
        assert proxy.armed
        client.sendall(b"defg")
        with pytest.raises(ConnectionResetError):
            received(client, 4)
    assert not proxy.armed
    wait_until(lambda: len(echo.received) == 5, "what passed before the cut")
    with connect(proxy) as again:
        assert exchange(again, b"xyz") == b"XYZ"
    assert bytes(echo.received) == b"abcdexyz"


@pytest.mark.parametrize("answered", [False, True])
def test_cut_at_a_text_before_it_or_in_place_of_its_answer(
    proxy: TcpProxy, echo: Echo, answered: bool
) -> None:
    proxy.cut_at(b"COMMIT", answered=answered)
    with connect(proxy) as client:
        assert exchange(client, b"begin") == b"BEGIN"
        client.sendall(b"COMMIT")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert bytes(echo.received) == (b"beginCOMMIT" if answered else b"begin")


def test_refused_until_accepted_again_on_the_same_port(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        exchange(client, b"a")
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        assert exchange(client, b"still") == b"STILL"
    port = proxy.port
    proxy.accept()
    assert proxy.port == port
    with connect(proxy) as again:
        assert exchange(again, b"b") == b"B"


def test_delay_holds_what_a_client_sends(proxy: TcpProxy, echo: Echo) -> None:
    proxy.delay(3_600)
    with connect(proxy, timeout=0.2) as client:
        client.sendall(b"held")
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert not echo.received


def test_delay_holds_what_a_client_is_sent() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        TcpProxy(server.getsockname()) as proxy,
        connect(proxy, timeout=0.2) as client,
    ):
        accepted, _ = server.accept()
        with accepted:
            proxy.delay(3_600)
            accepted.sendall(b"held")
            with pytest.raises(TimeoutError):
                client.recv(1)


def test_what_was_delayed_arrives(proxy: TcpProxy) -> None:
    proxy.delay(0.05)
    with connect(proxy) as client:
        assert exchange(client, b"a") == b"A"


def test_a_stall_takes_bytes_and_passes_them_on_when_healed(proxy: TcpProxy, echo: Echo) -> None:
    proxy.stall()
    with connect(proxy, timeout=0.2) as client:
        client.sendall(b"held")
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert not echo.received
        proxy.heal()
        client.settimeout(10)
        assert received(client, 4) == b"HELD"


def test_a_blackhole_acknowledges_nothing_and_lets_nobody_in(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        exchange(client, b"a")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 400)
        proxy.blackhole()
        client.sendall(b"lost")
        with pytest.raises(TimeoutError, match="timed out"):
            client.recv(1)
        with pytest.raises(TimeoutError):
            connect(proxy, timeout=0.2)


def test_a_short_split_is_healed_by_tcp_itself(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        exchange(client, b"a")
        proxy.blackhole()
        client.sendall(b"sent again")
        proxy.heal()
        assert received(client, 10) == b"SENT AGAIN"


def test_closing_twice_is_fine(proxy: TcpProxy) -> None:
    proxy.close()
    proxy.close()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
