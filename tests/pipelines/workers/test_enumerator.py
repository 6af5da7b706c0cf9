"""Every split goes to exactly one worker."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial

import pytest

from pipelines.workers.enumerator import SplitEnumerator
from tests.fakes import ListSource, NoLedger
from transforms.batch.coverage import Ledger
from transforms.batch.splits import Split
from transforms.errors import SourceUnavailable

SOURCES = (ListSource("a", partitions=3), ListSource("b", partitions=2))
ALL = [split for source in SOURCES for split in source.splits(NoLedger())]


class TestSplitsThatEnd:
    def test_whoever_asks_gets_the_next_one(self) -> None:
        enumerator = SplitEnumerator(SOURCES, NoLedger(), streaming=False)
        assert [enumerator.next_for(worker) for worker in (0, 1, 0, 0, 2)] == ALL
        assert enumerator.next_for(1) is None

    def test_many_that_ask_at_once_get_each_split_once(self) -> None:
        source = ListSource("many", partitions=500)
        enumerator = SplitEnumerator((source,), NoLedger(), streaming=False)
        got: list[list[Split]] = [[] for _ in range(8)]

        def ask(worker: int) -> None:
            got[worker] += iter(lambda: enumerator.next_for(worker), None)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        names = [split.name for of_worker in got for split in of_worker]
        assert sorted(names) == sorted(split.name for split in source.splits(NoLedger()))

    def test_they_are_planned_as_they_are_asked_for(self) -> None:
        planned: list[str] = []

        class Lazy(ListSource):
            def splits(self, ledger: Ledger) -> Iterable[Split]:
                for split in super().splits(ledger):
                    planned.append(split.name)
                    yield split

        enumerator = SplitEnumerator((Lazy("lazy", partitions=9),), NoLedger(), streaming=False)
        assert planned == []
        enumerator.next_for(0)
        assert len(planned) == 1

    def test_what_goes_wrong_ends_it_and_is_kept(self) -> None:
        class Away(ListSource):
            def splits(self, ledger: Ledger) -> Iterable[Split]:
                yield from list(super().splits(ledger))[:1]
                raise SourceUnavailable("the storage is away")

        enumerator = SplitEnumerator((Away("away", partitions=2),), NoLedger(), streaming=False)
        assert enumerator.next_for(0) is not None
        assert [enumerator.next_for(worker) for worker in (0, 1)] == [None, None]
        assert str(enumerator.error) == "the storage is away"

    def test_a_run_that_stops_assigns_nothing_more(self) -> None:
        enumerator = SplitEnumerator(SOURCES, NoLedger(), streaming=False)
        enumerator.next_for(0)
        enumerator.end()
        assert enumerator.next_for(0) is None


class TestSplitsWithoutAnEnd:
    @pytest.mark.parametrize(
        ("workers", "shares"),
        [(1, [5]), (2, [3, 2]), (4, [2, 1, 1, 1]), (7, [1, 1, 1, 1, 1, 0, 0])],
    )
    def test_each_worker_has_its_share_for_good(self, workers: int, shares: list[int]) -> None:
        enumerator = SplitEnumerator(SOURCES, NoLedger(), streaming=True)
        assert enumerator.share_out(workers) == min(workers, 5)
        got = [list(iter(partial(enumerator.next_for, n), None)) for n in range(workers)]
        assert [len(share) for share in got] == shares
        assert sorted(split.name for share in got for split in share) == sorted(
            split.name for split in ALL
        )
