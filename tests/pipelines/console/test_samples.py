"""Rates are made of samples, of an hour at most."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest

from pipelines.console import samples as module
from pipelines.console.samples import KEPT, Rates, Samples, sampled, samples_of
from sinks.console.sums import records_read
from sinks.database.database import Database
from tests.pipelines.console.pages.stored_letters import letters
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times in these tests are near the begin of 1970."""
    monkeypatch.setattr(time, "time", lambda: 115.0)


def test_a_rate_is_what_was_read_between_two_samples() -> None:
    samples = Samples()
    assert samples.rates("p") == Rates()
    samples.add(100.0, {"p": 10, "q": 0})
    assert samples.rates("p").now is None
    samples.add(110.0, {"p": 30, "q": 0})
    samples.add(114.0, {"p": 30, "q": 8})
    assert samples.rates("p") == Rates((110.0, 114.0), (2.0, 0.0))
    assert samples.rates("q").now == 2.0
    assert samples.since == 100.0


def test_a_smaller_ledger_is_no_rate_and_one_that_is_gone_is_forgotten() -> None:
    samples = Samples()
    samples.add(0.0, {"p": 10})
    samples.add(10.0, {"p": 4})
    assert samples.rates("p").now == 0.0
    samples.add(10.0, {"p": 90})  # a clock that stands still
    assert samples.rates("p").values == (0.0,)
    samples.add(20.0, {})
    assert samples.rates("p") == Rates()


def test_an_old_rate_is_no_rate_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = Samples()
    samples.add(100.0, {"p": 10})
    samples.add(110.0, {"p": 30})
    assert samples.rates("p").now == 2.0
    monkeypatch.setattr(time, "time", lambda: 110.0 + module.OLD_SECONDS)
    assert samples.rates("p").now is None


def test_what_is_kept_is_bounded() -> None:
    samples = Samples()
    for second in range(KEPT + 5):
        samples.add(float(second), {f"p{number:04}": second for number in range(3)})
    assert len(samples.rates("p0000").values) == KEPT - 1
    samples.add(900.0, {f"p{number:04}": 1 for number in range(module.MOST + 1)})
    samples.add(910.0, {f"p{number:04}": 1 for number in range(module.MOST + 1)})
    assert samples.rates(f"p{module.MOST - 1:04}").now == 0.0
    assert samples.rates(f"p{module.MOST:04}").now is None


def test_a_thread_takes_them_and_survives_a_database_that_is_not_there(tmp_path: Path) -> None:
    config, _ = letters(tmp_path, {}, {})
    seconds = count(100)
    with sampled(config.database, every=0.01, clock=lambda: next(seconds)) as samples:
        (name,) = records_read(config.database)
        wait_until(lambda: samples.rates(name).now is not None, "two samples")
        assert samples_of(config.database) is samples
    assert samples_of(config.database) is not samples
    with sampled(Database(f"sqlite:///{tmp_path}/none.db"), every=0.01) as nothing:
        assert nothing.since is None
