"""Laws that the scale model has to obey, whatever the costs are."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.scale.model import Cost, Costs, Scenario, bounds, knee, simulate
from benchmarks.scale.scale import COSTS, calibrated, costs_of, machine

ROUNDING = 0.03
"""A run counts whole commits: of some hundred, one more or less."""

seconds_fixed = st.floats(0.0, 0.005)
seconds_record = st.floats(1e-6, 2e-5)
costs = st.builds(
    Costs,
    read=st.builds(Cost, seconds_fixed, seconds_record),
    encode=st.builds(Cost, seconds_fixed, seconds_record),
    backend=st.builds(Cost, seconds_fixed, seconds_record),
    wait=st.builds(Cost, st.floats(0.0, 0.02), st.just(0.0)),
    contention=st.floats(1.0, 1.5),
)
scenarios = st.builds(
    Scenario,
    task_managers=st.integers(1, 6),
    slots=st.integers(1, 3),
    cores=st.integers(1, 3),
    shards=st.integers(1, 2),
    postgres_cores=st.integers(1, 4),
    batch=st.sampled_from((500, 2_000, 5_000)),
)
few = settings(max_examples=int(os.environ.get("SCALE_EXAMPLES", "10")), deadline=None)
"""``make scale-laws`` has a hundred."""

READING = Costs(Cost(0.001, 2e-5), Cost(0.001, 2e-6), Cost(0.001, 2e-6), Cost(0.004, 0.0))
"""Most of it is the worker's."""

PLAIN = Costs(Cost(0.001, 4e-6), Cost(0.001, 2e-6), Cost(0.001, 8e-6), Cost(0.004, 0.0))


@few
@given(costs, scenarios)
def test_throughput_is_above_neither_bound(costs: Costs, scenario: Scenario) -> None:
    simulated = simulate(scenario, costs)
    workers, databases = bounds(scenario, costs)
    assert 0 < simulated.rate <= min(workers, databases) * (1 + ROUNDING)
    assert 0 < simulated.workers <= 1 + 1e-9
    assert 0 < simulated.postgres <= 1 + 1e-9


@few
@given(costs, st.sampled_from((500, 2_000, 5_000)))
def test_one_slot_without_a_pipeline_takes_all_times_one_after_the_other(
    costs: Costs, batch: int
) -> None:
    alone = Scenario(task_managers=1, slots=1, batch=batch, in_flight=0)
    parts = (costs.read, costs.encode, costs.backend, costs.wait)
    expected = batch / sum(part.of(batch) for part in parts)
    assert simulate(alone, costs).rate == pytest.approx(expected, rel=ROUNDING)


@few
@given(costs, st.sampled_from((500, 2_000, 5_000)))
def test_a_pipeline_is_no_slower_than_one_thing_after_the_other(costs: Costs, batch: int) -> None:
    alone = Scenario(task_managers=1, slots=1, batch=batch)
    plain = simulate(replace(alone, in_flight=0), costs).rate
    assert simulate(alone, costs).rate >= plain * (1 - ROUNDING)


@pytest.mark.slow
@few
@example(
    Costs(Cost(0.0, 2.4e-6), Cost(0.0, 2.4e-6), Cost(0.005, 1.77e-5), Cost(0.0, 0.0), 1.0),
    Scenario(task_managers=1, slots=1, cores=1, shards=1, postgres_cores=1, batch=500),
)
@given(costs, scenarios)
def test_one_more_task_manager_does_no_harm(costs: Costs, scenario: Scenario) -> None:
    # Contention begins with the second writer, so from there on.
    scenario = replace(scenario, task_managers=scenario.task_managers + 2)
    more = replace(scenario, task_managers=scenario.task_managers + 1)
    # A slot keeps to its shard: as many on each, or the fuller one is the limit.
    scenario, more = (replace(each, shards=1) for each in (scenario, more))
    # Commits of many batches are few, so they are watched for longer: one more or less at the end
    # would count.
    rate_more, rate = (simulate(each, costs, commits=480).rate for each in (more, scenario))
    assert rate_more >= rate * (1 - ROUNDING)


@pytest.mark.parametrize("shards", [2, 4])
def test_shards_multiply_what_databases_that_are_the_limit_can_do(shards: int) -> None:
    one = Scenario(task_managers=16, postgres_cores=1)
    many = replace(one, shards=shards)
    assert simulate(one, PLAIN).limit == simulate(many, PLAIN).limit == "postgres"
    assert bounds(many, PLAIN)[1] == pytest.approx(shards * bounds(one, PLAIN)[1])
    assert simulate(many, PLAIN).rate == pytest.approx(
        shards * simulate(one, PLAIN).rate, rel=ROUNDING
    )


def test_task_managers_multiply_what_workers_that_are_the_limit_can_do() -> None:
    one = Scenario(postgres_cores=64)
    assert simulate(one, READING).limit == "workers"
    eight = simulate(replace(one, task_managers=8), READING).rate
    assert eight == pytest.approx(8 * simulate(one, READING).rate, rel=ROUNDING)


def test_two_slots_on_one_core_do_what_one_slot_does() -> None:
    shared = Scenario(slots=2, cores=1, postgres_cores=64)
    alone = simulate(replace(shared, slots=1), READING).rate
    assert simulate(shared, READING).rate == pytest.approx(alone, rel=ROUNDING)


def test_on_one_machine_all_cpu_comes_out_of_its_cores() -> None:
    machine = Scenario(slots=4, cores=2, one_machine=True, commit_records=1)
    record = sum(each.of(5_000) for each in (PLAIN.read, PLAIN.encode, PLAIN.backend)) / 5_000
    assert simulate(machine, PLAIN).rate == pytest.approx(2 / record, rel=ROUNDING)


def test_a_slot_alone_waits_for_its_own_commits_while_both_machines_have_time() -> None:
    simulated = simulate(Scenario(slots=1), replace(PLAIN, wait=Cost(0.2, 0.0)))
    assert simulated.limit == "slots"


def test_small_batches_are_committed_together_while_the_writer_is_busy() -> None:
    slow = replace(PLAIN, wait=Cost(0.1, 0.0))
    scenario = Scenario(slots=1, batch=500)
    lone = simulate(replace(scenario, commit_records=1), slow).rate
    assert simulate(scenario, slow).rate > 5 * lone


def test_knee_is_where_one_more_adds_less_than_a_tenth_of_the_first() -> None:
    assert knee(lambda n: min(n, 5) * 100.0) == 5
    assert knee(lambda n: 100.0 * n, most=8) is None
    assert knee(lambda n: 100.0 * (1 + 0.09 * (n - 1))) == 1


@given(seconds_fixed, seconds_record)
def test_line_through_points_of_a_line_is_that_line(fixed: float, record: float) -> None:
    line = Cost(fixed, record)
    fitted = Cost.fitted([(records, line.of(records)) for records in (500, 2_000, 5_000)])
    assert fitted.fixed == pytest.approx(fixed, abs=1e-9)
    assert fitted.record == pytest.approx(record)


@given(st.lists(st.floats(1e-4, 1.0), min_size=3, max_size=3))
def test_no_fitted_cost_is_negative(seconds: list[float]) -> None:
    fitted = Cost.fitted(list(zip((500, 2_000, 5_000), seconds, strict=True)))
    assert fitted.fixed >= 0
    assert fitted.record >= 0


def test_stored_costs_are_what_the_model_takes() -> None:
    stored = costs_of(json.loads(COSTS.read_text()))
    assert all(part.of(1) > 0 for part in (stored.read, stored.encode, stored.backend, stored.wait))
    assert stored.contention >= 1


def test_what_the_program_takes_besides_is_found_from_its_rate_on_one_process() -> None:
    """A program of twice the costs is twice as slow, and the factor is two."""
    slow = Costs(READING.read.times(2), READING.encode.times(2), READING.backend, READING.wait)
    measured = {"cores": 2, "ingestion": [{"processes": 1, "others": 0.0}]}
    measured["ingestion"][0]["rate"] = simulate(machine(measured, 1), slow).rate  # type: ignore[index]
    with_rest, factor = calibrated(measured, READING)
    assert factor == pytest.approx(2, rel=ROUNDING)
    assert with_rest.read.of(1_000) == pytest.approx(slow.read.of(1_000), rel=ROUNDING)
