from __future__ import annotations

from dataclasses import replace

from tests.transforms.mapping.mapped import batch_of
from transforms.batch.expansion import Branch, Expansion
from transforms.batch.record import Attempt, Claim, RecordBatch
from transforms.route.branches import branched, lost, map_step_of, route_ahead, step_of

NAMES = ["a", "b", "c"]
ROUTES = [(0,), (0, 1), (0, 1, 2), ()]


def job(expansion: Expansion, left: int) -> RecordBatch:
    claim = Claim("1", {(0, None, expansion): Attempt(7, 2, 10, "run")}, "events", "t")
    return replace(batch_of([{"n": 1}]), claim=claim, expansions=[expansion], ahead=[left])


def test_a_record_with_one_route_stays_as_it_is() -> None:
    batch = batch_of([{"n": 1}, {"n": 2}])
    assert branched(batch, [0, 0], ROUTES, NAMES) == (batch, [0, 0])


def test_a_branch_bears_the_name_of_its_route() -> None:
    batch, numbers = branched(batch_of([{"n": 1}, {"n": 2}]), [1, 0], ROUTES, NAMES)
    assert numbers == [0, 1, 0]
    assert batch.values == [{"n": 1}, {"n": 1}, {"n": 2}]
    assert batch.expansions == [
        (Branch(0, 2, "Route/a"),),
        (Branch(1, 2, "Route/b"),),
        (),
    ]
    assert (batch.read, batch.expanded) == (3, 1)


def test_a_branch_follows_those_of_steps_before() -> None:
    line = (Branch(0, 2, "Lines"),)
    batch = replace(batch_of([{"n": 1}]), expansions=[line])
    result, _ = branched(batch, [2], ROUTES, NAMES)
    assert result.expansions == [(*line, Branch(n, 3, f"Route/{NAMES[n]}")) for n in range(3)]


def test_a_record_that_has_failed_goes_nowhere() -> None:
    batch = batch_of([{"n": 1}, {"n": 2}])
    failure = lost(job((Branch(0, 2, "Route/a"),), 1), 0, "a")
    result, numbers = branched(batch, [3, 0], ROUTES, NAMES, [failure])
    assert (result.values, numbers, result.failures) == ([{"n": 2}], [0], (failure,))


def test_a_job_takes_its_branch_and_stays_the_one_that_it_is() -> None:
    expansion = (Branch(1, 2, "Route/b"), Branch(3, 4, map_step_of("b")))
    batch = job(expansion, 2)
    assert route_ahead(batch, 0) == "b"
    result, numbers = branched(batch, [0], [(1,)], NAMES)
    assert (result.expansions, result.ahead, numbers) == ([expansion], [1], [1])
    assert route_ahead(result, 0) == "b", "the branch of its mapping is ahead"


def test_a_job_that_was_the_only_one_becomes_several_like_any_record() -> None:
    result, _ = branched(replace(job((), 0), ahead=[0]), [1], ROUTES, NAMES)
    assert result.expansions == [(Branch(0, 2, "Route/a"),), (Branch(1, 2, "Route/b"),)]
    assert result.ahead is None


def test_a_job_with_another_branch_ahead_does_not_become_several() -> None:
    result, numbers = branched(job((Branch(1, 2, "Lines"),), 1), [1], ROUTES, NAMES)
    (failure,) = result.failures
    assert (failure.stage, failure.category, numbers) == ("route", "expansion_changed", [])
    assert "step 'Lines'" in failure.message


def test_a_job_that_lost_its_route_stays_in_its_table() -> None:
    failure = lost(job((Branch(0, 2, "Route/a"),), 1), 0, "a")
    assert (failure.stage, failure.category, failure.target) == ("route", "expansion_changed", "t")
    assert "route 'a'" in failure.message


def test_other_records_have_no_route_ahead() -> None:
    assert route_ahead(batch_of([{}]), 0) is None
    assert route_ahead(job((Branch(0, 2, "Route/a"),), 0), 0) is None
    assert route_ahead(job((Branch(0, 2, "Lines"),), 1), 0) is None
    assert step_of("a") != map_step_of("a")
