"""Which processes of the server a measurement waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from benchmarks.peers.stage import is_busy


@dataclass
class Child:
    """A process of the server."""

    title: str | None

    def cmdline(self) -> list[str]:
        if self.title is None:
            raise psutil.ZombieProcess(1)
        return self.title.split()


@dataclass
class Postmaster:
    """The server."""

    titles: list[str | None]

    def children(self) -> list[Child]:
        return [Child(title) for title in self.titles]


@pytest.mark.parametrize(
    ("titles", "busy"),
    [
        (["postgres: checkpointer", "postgres: postgres other [local] idle"], False),
        (["postgres: postgres peer_a [local] INSERT"], True),
        ([""], True),
        ([None], True),
        (["postgres: autovacuum worker peer_a"], False),
        (["postgres: autovacuum worker peer_a", "postgres: postgres peer_a [local] idle"], True),
    ],
)
def test_only_backends_of_clients_are_waited_for(titles: list[str | None], busy: bool) -> None:
    postmaster: Any = Postmaster(titles)
    assert is_busy(postmaster, "peer_a") == busy
