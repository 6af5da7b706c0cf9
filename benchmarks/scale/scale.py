"""Where the database becomes the limit: a model of a cluster, on costs that were measured.

    python -m benchmarks.scale.scale [--slots 2] [--cores 2] [--postgres_cores 4] [--shards 1] [--batch 5000]
    python -m benchmarks.scale.scale --measure [--rounds 3]

Without ``--measure`` it takes the costs from ``benchmarks/scale/scale_costs.json``, so that anybody
gets the same table; with it, that file is written anew (two minutes of load).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.scale.model import Cost, Costs, Outcome, Scenario, bounds, knee, simulate

COSTS = Path(__file__).with_name("scale_costs.json")
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def costs_of(measured: Mapping[str, Any]) -> Costs:
    """The model's costs, from what was measured with one writer; contention from both."""
    one = [each for each in measured["batches"] if each["writers"] == 1]
    two = {each["records"]: each for each in measured["batches"] if each["writers"] == 2}

    def fitted(seconds: Mapping[int, float]) -> Cost:
        return Cost.fitted(sorted(seconds.items()))

    backend = {each["records"]: each["backend_cpu"] for each in one}
    # Not the wall time less the CPU: on a machine that is shared that is mostly waiting for a core.
    wait = {each["records"]: each["fsync"] for each in one}
    ratios = [two[records]["backend_cpu"] / seconds for records, seconds in backend.items()]
    return Costs(
        read=fitted({each["records"]: each["read_cpu"] for each in one}),
        encode=fitted({each["records"]: each["commit_cpu"] for each in one}),
        backend=fitted(backend),
        wait=fitted(wait),
        contention=max(1.0, sum(ratios) / len(ratios)),
    )


def machine(measured: Mapping[str, Any], writers: int) -> Scenario:
    """The machine that was measured: so many processes, and Postgres, on its cores."""
    cores = int(measured["cores"])
    return Scenario(slots=writers, cores=cores, postgres_cores=cores, one_machine=True)


def quietest(measured: Mapping[str, Any], processes: int) -> dict[str, Any]:
    """The run of the whole program, on so many processes, beside which others did the least."""
    runs = [each for each in measured["ingestion"] if each["processes"] == processes]
    made: dict[str, Any] = min(runs, key=lambda each: each["others"])
    return made


def calibrated(measured: Mapping[str, Any], costs: Costs) -> tuple[Costs, float]:
    """``costs`` with what the program takes besides: Beam, the garbage collector, its start.

    The worker's costs are multiplied by what makes the model as fast as the program is on one
    process; the factor is returned too. Two processes are left to check it.
    """
    rate = quietest(measured, 1)["rate"]
    low, high = 1.0, 8.0
    for _ in range(20):
        factor = (low + high) / 2
        with_rest = replace(costs, read=costs.read.times(factor), encode=costs.encode.times(factor))
        if simulate(machine(measured, 1), with_rest).rate > rate:
            low = factor
        else:
            high = factor
    return with_rest, factor


def show_costs(measured: Mapping[str, Any], costs: Costs) -> None:
    print(
        f"measured {measured['date']}: {measured['cores']} cores, Python {measured['python']}, "
        f"Postgres {measured['postgres']}, medians of {measured['rounds']} rounds; other programs ran\n"
    )
    print("ms a batch     writers    read  encode  Postgres   fsync  commit (wall)")
    for each in measured["batches"]:
        print(
            f"{each['records']:>10,} {each['writers']:>11} {each['read_cpu'] * 1e3:>7.1f} "
            f"{each['commit_cpu'] * 1e3:>7.1f} {each['backend_cpu'] * 1e3:>9.1f} "
            f"{each['fsync'] * 1e3:>7.1f} {each['commit_wall'] * 1e3:>9.1f}"
        )
    for name in ("read", "encode", "backend", "wait"):
        cost: Cost = getattr(costs, name)
        print(f"{name:>8}: {cost.fixed * 1e3:.2f} ms a batch + {cost.record * 1e6:.2f} µs a record")
    print(f"two writers: {costs.contention:.2f} times the CPU of Postgres a record\n")


def show_error(measured: Mapping[str, Any], costs: Costs) -> None:
    """Hold the model against the whole program, at the points that were measured."""
    print(
        "processes   rec/s, quietest run   CPU that others took    all runs              model   error"
    )
    for writers in sorted({each["processes"] for each in measured["ingestion"]}):
        runs = [each for each in measured["ingestion"] if each["processes"] == writers]
        quiet = quietest(measured, writers)
        rates = [each["rate"] for each in runs]
        made = simulate(machine(measured, writers), costs).rate
        print(
            f"{writers:>9} {quiet['rate']:>21,.0f} {quiet['others']:>22.0%} "
            f"{min(rates):>11,.0f}–{max(rates):<10,.0f} {made:>10,.0f} {made / quiet['rate'] - 1:>+7.0%}"
        )
    print()


def show_table(scenario: Scenario, costs: Costs) -> None:
    print(
        f"{scenario.slots} slots and {scenario.cores} cores a TaskManager; {scenario.shards} x "
        f"Postgres with {scenario.postgres_cores} cores; batches of {scenario.batch:,}"
    )
    print(" n    records/s   of the databases' bound   workers   Postgres   commit   limit")

    @cache
    def outcome(number: int) -> Outcome:
        return simulate(replace(scenario, task_managers=number), costs)

    for number in SIZES:
        made = outcome(number)
        _, bound = bounds(replace(scenario, task_managers=number), costs)
        print(
            f"{number:>2} {made.rate:>12,.0f} {made.rate / bound:>20.0%} {made.workers:>15.0%} "
            f"{made.postgres:>10.0%} {made.commit_seconds * 1e3:>6.0f} ms   {made.limit}"
        )
    found = knee(lambda number: outcome(number).rate)
    print(
        "no knee below 64 TaskManagers\n"
        if found is None
        else f"knee: {found}; one more adds less than a tenth of what the first does\n"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--measure", action="store_true", help="write scale_costs.json anew")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slots", type=int, default=2, help="worker processes a TaskManager")
    parser.add_argument("--cores", type=int, default=2, help="of a TaskManager's machine")
    parser.add_argument("--postgres_cores", type=int, default=4)
    parser.add_argument("--shards", type=int, default=1, help="databases")
    parser.add_argument("--batch", type=int, default=5_000, help="records")
    parser.add_argument(
        "--wait_ms", type=float, help="of a commit without CPU, instead of measured"
    )
    given = parser.parse_args(argv)
    if given.measure:
        from benchmarks.scale.measure import measured as measure

        COSTS.write_text(json.dumps(measure(given.rounds), indent=2) + "\n")
    measured = json.loads(COSTS.read_text())
    costs = costs_of(measured)
    show_costs(measured, costs)
    costs, factor = calibrated(measured, costs)
    print(
        f"the whole program takes {factor:.2f} times that in a worker, by its rate on one process\n"
    )
    show_error(measured, costs)
    if given.wait_ms is not None:
        costs = replace(costs, wait=Cost(given.wait_ms / 1e3, 0.0))
    scenario = Scenario(
        slots=given.slots,
        cores=given.cores,
        shards=given.shards,
        postgres_cores=given.postgres_cores,
        batch=given.batch,
    )
    show_table(scenario, costs)


if __name__ == "__main__":
    main()
