"""Find where the database becomes the limit, with a model of a cluster on measured costs.

    python -m benchmarks.scale.scale [--slots 2] [--cores 2] [--postgres_cores 4] [--shards 1] [--batch 5000]
    python -m benchmarks.scale.scale --measure [--rounds 3]

Without ``--measure`` it takes the costs from ``benchmarks/scale/scale_costs.json``, so that everybody
gets the same table. With ``--measure`` it first writes that file anew (two minutes of load).
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
MACHINES = (2, 8, 32)
"""Cores of machines that workers and Postgres share."""

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def costs_of(measured: Mapping[str, Any]) -> Costs:
    """The model's costs as measured with one writer; the contention comes from two writers."""
    one = [each for each in measured["batches"] if each["writers"] == 1]
    two = {each["records"]: each for each in measured["batches"] if each["writers"] == 2}

    def fitted(seconds: Mapping[int, float]) -> Cost:
        return Cost.fitted(sorted(seconds.items()))

    backend = {each["records"]: each["backend_cpu"] for each in one}
    # Not wall time minus CPU: on a shared machine, that is mostly waiting for a core.
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
    """The measured machine: ``writers`` processes and Postgres share its cores."""
    cores = int(measured["cores"])
    return Scenario(slots=writers, cores=cores, postgres_cores=cores, one_machine=True)


def quietest(measured: Mapping[str, Any], processes: int) -> dict[str, Any]:
    """The run of the whole program on ``processes`` processes during which others did the least."""
    runs = [each for each in measured["ingestion"] if each["processes"] == processes]
    quiet_run: dict[str, Any] = min(runs, key=lambda each: each["others"])
    return quiet_run


def calibrated(measured: Mapping[str, Any], costs: Costs) -> tuple[Costs, float]:
    """``costs`` with the program's other costs: Beam, the garbage collector, its start.

    The worker's costs are multiplied by the factor that makes the model as fast as the program on
    one process; the factor is returned too. Runs on two processes remain to check it.
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
    """Print the measured costs, and the lines fitted to them."""
    print(
        f"measured {measured['date']}: {measured['cores']} cores, Python {measured['python']}, "
        f"Postgres {measured['postgres']}, medians of {measured['rounds']} rounds; other programs ran\n"
    )
    print("ms a batch     writers    read  encode  Postgres   fsync  commit (wall)")
    for batch in measured["batches"]:
        print(
            f"{batch['records']:>10,} {batch['writers']:>11} {batch['read_cpu'] * 1e3:>7.1f} "
            f"{batch['commit_cpu'] * 1e3:>7.1f} {batch['backend_cpu'] * 1e3:>9.1f} "
            f"{batch['fsync'] * 1e3:>7.1f} {batch['commit_wall'] * 1e3:>9.1f}"
        )
    for name in ("read", "encode", "backend", "wait"):
        cost: Cost = getattr(costs, name)
        print(f"{name:>8}: {cost.fixed * 1e3:.2f} ms a batch + {cost.record * 1e6:.2f} µs a record")
    print(f"two writers: {costs.contention:.2f} times the CPU of Postgres a record\n")


def show_error(measured: Mapping[str, Any], costs: Costs) -> None:
    """Compare the model with the whole program, at the measured points."""
    print(
        "processes   rec/s, quietest run   CPU that others took    all runs              model   error"
    )
    for writers in sorted({each["processes"] for each in measured["ingestion"]}):
        runs = [each for each in measured["ingestion"] if each["processes"] == writers]
        quiet = quietest(measured, writers)
        rates = [each["rate"] for each in runs]
        modelled = simulate(machine(measured, writers), costs).rate
        print(
            f"{writers:>9} {quiet['rate']:>21,.0f} {quiet['others']:>22.0%} "
            f"{min(rates):>11,.0f}–{max(rates):<10,.0f} {modelled:>10,.0f} {modelled / quiet['rate'] - 1:>+7.0%}"
        )
    print()


def show_table(scenario: Scenario, costs: Costs) -> None:
    """Print the outcome for each number of TaskManagers, and the knee."""
    print(
        f"{scenario.slots} slots and {scenario.cores} cores a TaskManager; {scenario.shards} x "
        f"Postgres with {scenario.postgres_cores} cores; batches of {scenario.batch:,}"
    )
    print(" n    records/s   of the databases' bound   workers   Postgres   commit   limit")

    @cache
    def outcome(number: int) -> Outcome:
        return simulate(replace(scenario, task_managers=number), costs)

    for number in SIZES:
        result = outcome(number)
        _, bound = bounds(replace(scenario, task_managers=number), costs)
        print(
            f"{number:>2} {result.rate:>12,.0f} {result.rate / bound:>20.0%} {result.workers:>15.0%} "
            f"{result.postgres:>10.0%} {result.commit_seconds * 1e3:>6.0f} ms   {result.limit}"
        )
    knee_at = knee(lambda number: outcome(number).rate)
    print(
        "no knee below 64 TaskManagers\n"
        if knee_at is None
        else f"knee: {knee_at}; one more adds less than a tenth of what the first does\n"
    )


def show_machines(costs: Costs) -> None:
    """Print what worker processes do on one machine that they share with Postgres (``--workers``)."""
    print("one machine for the workers and Postgres: records/s (workers, Postgres of the cores)")
    for cores in MACHINES:
        results = {
            workers: simulate(
                Scenario(slots=workers, cores=cores, postgres_cores=cores, one_machine=True), costs
            )
            for workers in sorted({1, cores // 4, cores // 2, cores} - {0})
        }
        shown = ", ".join(
            f"{workers} workers {result.rate:,.0f} ({result.workers:.0%}, {result.postgres:.0%})"
            for workers, result in results.items()
        )
        print(f"{cores:>2} cores: {shown}")
    print()


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables, after measuring if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--measure", action="store_true", help="write scale_costs.json anew")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slots", type=int, default=2, help="worker processes per TaskManager")
    parser.add_argument("--cores", type=int, default=2, help="cores of a TaskManager's machine")
    parser.add_argument("--postgres_cores", type=int, default=4)
    parser.add_argument("--shards", type=int, default=1, help="databases")
    parser.add_argument("--batch", type=int, default=5_000, help="records")
    parser.add_argument(
        "--wait_ms", type=float, help="time of a commit without CPU, instead of the measured one"
    )
    arguments = parser.parse_args(argv)
    if arguments.measure:
        from benchmarks.scale.measure import measured as measure

        COSTS.write_text(json.dumps(measure(arguments.rounds), indent=2) + "\n")
    measured = json.loads(COSTS.read_text())
    costs = costs_of(measured)
    show_costs(measured, costs)
    costs, factor = calibrated(measured, costs)
    print(
        f"the whole program takes {factor:.2f} times that in a worker, by its rate on one process\n"
    )
    show_error(measured, costs)
    if arguments.wait_ms is not None:
        costs = replace(costs, wait=Cost(arguments.wait_ms / 1e3, 0.0))
    show_machines(costs)
    scenario = Scenario(
        slots=arguments.slots,
        cores=arguments.cores,
        shards=arguments.shards,
        postgres_cores=arguments.postgres_cores,
        batch=arguments.batch,
    )
    show_table(scenario, costs)


if __name__ == "__main__":
    main()
