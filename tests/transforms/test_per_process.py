"""One value for each key in each process."""

from __future__ import annotations

import os
import threading

import pytest

from tests.transforms.forks import in_child
from transforms.per_process import PerProcess


class Client:
    """Something that may speak to a server when it goes."""

    closed_in: list[int] = []  # noqa: RUF012 - shared on purpose

    def __del__(self) -> None:
        self.closed_in.append(os.getpid())


def test_a_value_is_made_once() -> None:
    keys: list[str] = []
    cache = PerProcess[str, int](lambda key: keys.append(key) or len(keys))  # type: ignore[func-returns-value]
    assert [cache.get("a"), cache.get("b"), cache.get("a")] == [1, 2, 1]
    assert keys == ["a", "b"]


def test_a_value_that_could_not_be_made_is_asked_for_again() -> None:
    answers = iter([ValueError("not yet"), None])

    def make(key: str) -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return "there"

    cache = PerProcess(make)
    with pytest.raises(ValueError, match="not yet"):
        cache.get("a")
    assert cache.get("a") == "there"


def test_what_is_forgotten_is_handed_out_for_closing() -> None:
    cache = PerProcess[int, str](str)
    assert cache.peek(1) is None
    assert [cache.get(1), cache.get(2), cache.get(3)] == ["1", "2", "3"]
    assert (cache.pop(2), cache.pop(2)) == ("2", None)
    assert cache.values() == ["1", "3"]
    assert cache.clear() == ["1", "3"]
    assert cache.values() == []


def test_only_the_value_that_is_meant_is_forgotten() -> None:
    cache = PerProcess[str, object](lambda key: object())
    first = cache.get("a")
    cache.forget("a", object())
    assert cache.get("a") is first
    cache.forget("a", first)
    cache.forget("b", first)
    assert cache.values() == []


def test_threads_share_one_value() -> None:
    cache = PerProcess[str, object](lambda key: object())
    start = threading.Barrier(8)
    answers: list[object] = []

    def ask() -> None:
        start.wait()
        answers.append(cache.get("a"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [cache.get("a")] * 8


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
class TestFork:
    def test_a_child_makes_a_value_of_its_own(self) -> None:
        cache = PerProcess[str, object](lambda key: object())
        parents = cache.get("a")
        assert in_child(lambda: cache.peek("a") is None and cache.get("a") is not parents)
        assert cache.get("a") is parents

    def test_a_child_does_not_wait_for_a_lock_that_a_thread_of_its_parent_holds(self) -> None:
        blocked, go_on = threading.Event(), threading.Event()

        def make(key: str) -> str:
            if key == "slow":
                blocked.set()
                go_on.wait()
            return key

        cache = PerProcess(make)
        thread = threading.Thread(target=cache.get, args=("slow",))
        thread.start()
        blocked.wait()
        assert in_child(lambda: cache.get("quick") == "quick")
        go_on.set()
        thread.join()

    def test_a_child_never_finalizes_what_is_its_parents(self) -> None:
        cache = PerProcess[str, Client](lambda key: Client())
        cache.get("a")

        def forgets() -> bool:
            cache.clear()
            return Client.closed_in == []

        assert in_child(forgets)
