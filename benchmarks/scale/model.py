"""Simulate a cluster of workers against databases, from measured costs.

It simulates discrete events instead of using a queueing formula. A worker parses its next batch while
its last ones are committed, waiting batches are committed together, and both need the process's
interpreter lock (``transforms/settle/write.py``). This is not a product-form network, so mean value
analysis would only approximate it. Nothing here is random, so a run of seconds yields the rate.

What is modelled, for every slot (a Python process with one interpreter lock, on its
TaskManager's cores):

* its reader thread: read and parse a batch; then wait while as many commits as may be are under way and
  enough records for another one wait;
* its writer threads, one for each commit under way: encode what waits (with the lock again), then the CPU
  of the backend in Postgres (a core of the shard's machine), then a wait without CPU: fsync and round trips.

What is not modelled: locks within Postgres beyond what two writers showed (``contention``), the
bandwidth of its disk, vacuum, a table that outgrows memory, Kafka, skewed splits, checkpoints.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

USED_UP = 0.9
"""A resource with at least this utilisation is called the limit."""

Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that something takes: ``fixed + record * records``."""

    fixed: float
    record: float

    def of(self, records: int) -> float:
        """The seconds for ``records`` records."""
        return self.fixed + self.record * records

    def times(self, factor: float) -> Cost:
        """This cost multiplied by ``factor``."""
        return Cost(self.fixed * factor, self.record * factor)

    @classmethod
    def fitted(cls, points: Sequence[tuple[int, float]]) -> Cost:
        """The least-squares line through points (records, seconds), with no negative part.

        Points are weighted by seconds per record, so that small batches count as much as large ones.
        """
        weights = [1 / records**2 for records, _ in points]
        total = sum(weights)
        mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
        mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
        moments = [
            (w * (x - mean_x) ** 2, w * (x - mean_x) * (y - mean_y))
            for w, (x, y) in zip(weights, points, strict=True)
        ]
        spread = sum(square for square, _ in moments)
        slope = sum(product for _, product in moments) / spread if spread else 0.0
        fixed = mean_y - slope * mean_x
        if fixed < 0 or not spread:
            through = sum(w * x * y for w, (x, y) in zip(weights, points, strict=True))
            return cls(
                0.0, through / sum(w * x * x for w, (x, _) in zip(weights, points, strict=True))
            )
        return cls(mean_y, 0.0) if slope < 0 else cls(fixed, slope)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a batch costs, and where.

    Attributes:
        read: CPU of the worker to read and parse.
        encode: CPU of the worker within the commit.
        backend: CPU of Postgres.
        wait: Time of a commit without CPU: fsync and round trips.
        contention: Factor on the CPU of Postgres once there are two writers.
    """

    read: Cost
    encode: Cost
    backend: Cost
    wait: Cost
    contention: float = 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cluster.

    Attributes:
        task_managers: Machines of workers.
        slots: Worker processes of each machine (``--sdk_worker_parallelism``).
        cores: Cores of each machine of workers.
        shards: Databases, each on its own machine; a slot always writes to the same one.
        postgres_cores: Cores of each database's machine.
        batch: Records of a batch.
        commit_records: A commit that has this number of records takes no further batch.
        in_flight: How many commits of a slot may be under way; 0, in tests only: the next batch is not
            parsed before the commit of the last one.
        one_machine: Workers and Postgres share the cores of one machine.
    """

    task_managers: int = 1
    slots: int = 2
    cores: int = 2
    shards: int = 1
    postgres_cores: int = 4
    batch: int = 5_000
    commit_records: int = 10_000
    in_flight: int = 3
    one_machine: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulated cluster does.

    Attributes:
        rate: Records committed a second.
        workers: Utilisation of the workers, 0 to 1: of their interpreter locks or of their cores,
            whichever is higher.
        postgres: Utilisation of the databases' cores.
        commit_seconds: Mean time of a commit, including the wait for a core.
    """

    rate: float
    workers: float
    postgres: float
    commit_seconds: float

    @property
    def limit(self) -> str:
        """What is used up: ``postgres``, ``workers`` (their CPU) or otherwise ``slots``.

        Each slot waits for its own commits, so more slots would do more.
        """
        used = {"postgres": self.postgres, "workers": self.workers}
        most = max(used, key=lambda name: used[name])
        return most if used[most] >= USED_UP else "slots"


class _Meter:
    """Adds up what happens once the cluster has warmed up."""

    def __init__(self, environment: simpy.Environment, since: float) -> None:
        self._environment = environment
        self._since = since
        self.records = self.commits = 0
        self.commit_seconds = 0.0
        self.busy: dict[str, float] = {"lock": 0.0, "cores": 0.0, "postgres": 0.0}

    def committed(self, records: int, seconds: float) -> None:
        if self._environment.now >= self._since:
            self.records += records
            self.commits += 1
            self.commit_seconds += seconds

    def used(self, what: str, seconds: float) -> None:
        """Count the part of ``seconds`` that lies after the warm-up."""
        self.busy[what] += max(0.0, min(seconds, self._environment.now - self._since))


class _Slot:
    """One worker process: a reader and a writer that share its interpreter lock."""

    def __init__(
        self,
        environment: simpy.Environment,
        costs: Costs,
        scenario: Scenario,
        cores: simpy.Resource,
        postgres: simpy.Resource,
        meter: _Meter,
    ) -> None:
        self._environment, self._costs, self._scenario = environment, costs, scenario
        self._cores, self._postgres, self._meter = cores, postgres, meter
        self._lock = simpy.Resource(environment)
        self._writers = scenario.task_managers * scenario.slots > scenario.shards
        self._queued = 0
        self._running: deque[simpy.Process] = deque()

    def run(self, offset: float) -> Steps:
        """Read forever, and commit as ``WriteFn.process`` does."""
        yield self._environment.timeout(offset)
        batch, most = self._scenario.batch, max(1, self._scenario.in_flight)
        full = self._scenario.commit_records
        while True:
            yield from self._worker(self._costs.read.of(batch))
            self._queued += batch
            while self._running and (
                not self._running[0].is_alive
                or (self._queued >= full and len(self._running) == most)
            ):
                yield self._running.popleft()
            if not self._running or (len(self._running) < most and self._queued >= full // 2):
                records, self._queued = self._queued, 0
                self._running.append(self._environment.process(self._committing(records)))
            if not self._scenario.in_flight:
                yield self._running.popleft()

    def _committing(self, records: int) -> Steps:
        started = self._environment.now
        yield from self._worker(self._costs.encode.of(records))
        seconds = self._costs.backend.of(records) * (self._costs.contention if self._writers else 1)
        with self._postgres.request() as core:
            yield core
            yield self._environment.timeout(seconds)
            self._meter.used("postgres", seconds)
        yield self._environment.timeout(self._costs.wait.of(records))
        self._meter.committed(records, self._environment.now - started)

    def _worker(self, seconds: float) -> Steps:
        with self._lock.request() as lock:
            yield lock
            locked = self._environment.now
            with self._cores.request() as core:
                yield core
                yield self._environment.timeout(seconds)
                self._meter.used("cores", seconds)
            self._meter.used("lock", self._environment.now - locked)


def simulate(scenario: Scenario, costs: Costs, commits: int = 120) -> Outcome:
    """Run a cluster long enough for about ``commits`` commits of the slowest slot."""
    slots = scenario.task_managers * scenario.slots
    batch = scenario.batch
    alone = sum(each.of(batch) for each in (costs.read, costs.encode, costs.backend, costs.wait))
    crowd = costs.backend.of(batch) * slots / (scenario.shards * scenario.postgres_cores)
    since = 10 * (alone + crowd)
    end = since + commits * (alone + crowd)
    environment = simpy.Environment()
    meter = _Meter(environment, since)
    machines = [simpy.Resource(environment, scenario.cores) for _ in range(scenario.task_managers)]
    databases = (
        machines[:1]
        if scenario.one_machine
        else [simpy.Resource(environment, scenario.postgres_cores) for _ in range(scenario.shards)]
    )
    for number in range(slots):
        slot = _Slot(
            environment,
            costs,
            scenario,
            machines[number % len(machines)],
            databases[number % len(databases)],
            meter,
        )
        # Start them one after the other: without chance, they would stay in step.
        environment.process(slot.run(alone * number / slots))
    environment.run(until=end)
    seconds = end - since
    worker_cores = scenario.task_managers * scenario.cores
    postgres_cores = (
        worker_cores if scenario.one_machine else scenario.shards * scenario.postgres_cores
    )
    cores = meter.busy["cores"] / worker_cores
    return Outcome(
        rate=meter.records / seconds,
        workers=max(cores, meter.busy["lock"] / slots if not scenario.one_machine else cores)
        / seconds,
        postgres=meter.busy["postgres"] / postgres_cores / seconds,
        commit_seconds=meter.commit_seconds / meter.commits if meter.commits else 0.0,
    )


def bounds(scenario: Scenario, costs: Costs) -> tuple[float, float]:
    """The most records a second that the workers, and the databases, can do.

    It assumes commits of ``commit_records`` or of a lone batch, whichever is cheaper.
    """
    sizes = {scenario.batch, max(scenario.commit_records, scenario.batch) + scenario.batch}

    def least(cost: Cost) -> float:
        return min(cost.of(size) / size for size in sizes)

    processes = min(scenario.slots, scenario.cores) * scenario.task_managers
    worker = costs.read.of(scenario.batch) / scenario.batch + least(costs.encode)
    contention = (
        costs.contention if scenario.task_managers * scenario.slots > scenario.shards else 1
    )
    return (
        processes / worker,
        scenario.shards * scenario.postgres_cores / (least(costs.backend) * contention),
    )


def knee(rate: Callable[[int], float], most: int = 64) -> int | None:
    """The first n after which one more adds less than a tenth of what the first one does.

    Args:
        rate: Records a second with n TaskManagers.
        most: Where to stop looking, and return None.
    """
    first = last = rate(1)
    for number in range(1, most):
        following = rate(number + 1)
        if following - last < first / 10:
            return number
        last = following
    return None
