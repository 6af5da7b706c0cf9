"""The suite: green where it is said to be, bounded, and every check compares something."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipelines.conformance import suite
from pipelines.conformance.check import Check, NotOffered, Trial
from pipelines.conformance.ground import Ground
from sinks.database.database import Database
from tests.pipelines.conformance.grounds import result_of


def test_every_check_has_a_name_of_its_own_and_says_what_it_guarantees() -> None:
    names = [check.name for check in suite.CHECKS]
    assert len(set(names)) == len(names)
    for check in suite.CHECKS:
        assert 20 < len(check.guarantee) <= 110, check.name
        assert check.guarantee.count("\n") == 0, check.name


@pytest.mark.parametrize("service", ["postgres_url", "mariadb_url"])
@pytest.mark.integration
def test_a_server_keeps_all_of_it(service: str, request: pytest.FixtureRequest) -> None:
    results = list(suite.results(Database(request.getfixturevalue(service))))
    assert len(results) == len(suite.CHECKS)
    assert [(each.check.name, each.why) for each in results if each.status == "failed"] == []


def test_a_check_that_compares_nothing_fails(tmp_path: Path) -> None:
    result = result_of(Check("x", "", lambda _ground, _trial: None), tmp_path)
    assert (result.status, result.why) == ("failed", "it has compared nothing")


def test_what_is_not_offered_says_why(tmp_path: Path) -> None:
    def check(_ground: Ground, trial: Trial) -> None:
        trial.true("this was compared before", True)
        raise NotOffered("one process has it all")

    result = result_of(Check("x", "", check), tmp_path)
    assert (result.status, result.why) == ("not offered", "one process has it all")


def test_an_error_of_the_program_is_a_failure_in_one_line(tmp_path: Path) -> None:
    empty: dict[str, None] = {}
    result = result_of(Check("x", "", lambda _ground, _trial: empty["key"]), tmp_path)
    assert (result.status, result.why) == ("failed", "KeyError: 'key'")


def test_a_check_that_does_not_end_is_given_up_and_those_after_it_are_not_tried(
    tmp_path: Path,
) -> None:
    tried = []

    def endless(ground: Ground, trial: Trial) -> None:
        ground.sink("events", key=["id"])
        while True:
            trial.equal("tables", bool(ground.database), True)
            threading.Event().wait(0.01)

    def after(_ground: Ground, _trial: Trial) -> None:
        tried.append(1)

    database = Database(f"sqlite:///{tmp_path}/a.db")
    checks = [Check("endless", "", endless), Check("after", "", after)]
    first, second = suite.results(database, checks, seconds=0.2)
    assert (first.status, first.why) == ("failed", "did not end within 0.2 s")
    assert (second.status, second.why) == ("failed", "not tried, since endless did not end")
    assert tried == []
    assert list(tmp_path.iterdir()) == []


def test_sqlite_keeps_all_of_it_but_has_no_connection_to_lose(tmp_path: Path) -> None:
    results = list(suite.results(Database(f"sqlite:///{tmp_path}/a.db")))
    assert [(each.check.name, each.why) for each in results if each.status == "failed"] == []
    others = {each.check.name.partition(".")[0] for each in results if each.status != "passed"}
    assert others == {"outages"}
    assert list(tmp_path.iterdir()) == []


def test_duckdb_keeps_all_of_it_but_has_no_connection_to_lose(tmp_path: Path) -> None:
    results = list(suite.results(Database(f"duckdb:///{tmp_path}/a.duckdb")))
    assert [(each.check.name, each.why) for each in results if each.status == "failed"] == []
    others = {each.check.name.partition(".")[0] for each in results if each.status != "passed"}
    assert others == {"outages"}
    assert list(tmp_path.iterdir()) == []
