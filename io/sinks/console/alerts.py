"""The alerts of ops/prometheus that the database can judge now, and why it cannot judge the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sinks.console.coverage import faults
from sinks.console.moment import moment
from sinks.console.outbox import pending
from sinks.console.sums import dead_letters
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.figures.activity import activity
from sinks.figures.backlog import overdue
from sinks.figures.sample import Sample

MOST_SERIES = 20
"""How many series of an alert are shown, those with the highest values."""

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert.

    Attributes:
        name: As in ops/prometheus/rules.yaml.
        severity: Whether somebody is woken.
        means: What it says, in words.
        threshold: The value above which its condition holds, if the database can judge it.
        unit: Of value and threshold.
        waits: For how long Prometheus waits before it fires.
        runbook: The page that helps.
    """

    name: str
    severity: Severity
    means: str
    threshold: float
    unit: str
    waits: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Series:
    """What a condition holds for.

    Attributes:
        labels: Pipeline, target, …
        value: What is above the threshold.
        threshold: Which may differ from one to the next.
    """

    labels: Mapping[str, str]
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Judged:
    """An alert as of now.

    Attributes:
        rule: The alert.
        series: What its condition holds for now, the highest value first: ``MOST_SERIES`` of them.
        number: How many there are.
    """

    rule: Rule
    series: Sequence[Series]
    number: int

    @property
    def holds(self) -> bool:
        """Whether it would fire if that lasted."""
        return self.number > 0


@dataclass(frozen=True, slots=True)
class NotJudged:
    """An alert that needs what the database does not have.

    Attributes:
        name: As in ops/prometheus/rules.yaml.
        severity: Whether somebody is woken.
        why: What it needs.
        runbook: The page that helps.
    """

    name: str
    severity: Severity
    why: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """All alerts.

    Attributes:
        judged: Those whose condition was looked at; first those whose condition holds.
        not_judged: The others.
    """

    judged: Sequence[Judged]
    not_judged: Sequence[NotJudged]


def alerts(database: Database) -> Alerts:
    """Every alert, as of one moment.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with moment(database, "judge the alerts") as connection:
        now = dialect_of(connection).now(connection)
        samples = [*overdue(connection, now), *activity(connection)]
        waiting = [
            ({"target": one.target}, (now - one.oldest).total_seconds())
            for one in pending(connection)
        ]
        letters = dead_letters(connection)
        partitions = faults(connection)
    dead = [
        ({"pipeline": pipeline, "target": target}, float(number))
        for (pipeline, target), number in letters.items()
    ]
    places = [
        ({"pipeline": pipeline, "source": source}, one)
        for (pipeline, source), one in partitions.items()
    ]
    values: dict[str, Iterable[tuple[Mapping[str, str], float]]] = {
        "SluiceRunLost": _lost(samples),
        "SluiceDeadLetters": dead,
        "SluiceJobsOverdue": _named(samples, "sluice_job_oldest_due_seconds"),
        "SluiceLedgerGap": [(labels, float(one.gaps)) for labels, one in places],
        "SluiceConservationViolated": [(labels, float(one.violations)) for labels, one in places],
        "SluiceOutboxLate": waiting,
    }
    judged = [
        _judged(
            rule, [Series(labels, value, rule.threshold) for labels, value in values[rule.name]]
        )
        for rule in RULES
        if rule.name in values
    ]
    judged.append(_judged(OUTAGE, _outages(samples)))
    judged.sort(key=lambda one: (not one.holds, one.rule.severity, one.rule.name))
    return Alerts(judged, NOT_JUDGED)


def _judged(rule: Rule, series: Iterable[Series]) -> Judged:
    above = sorted((one for one in series if one.value > one.threshold), key=_height)
    return Judged(rule, above[:MOST_SERIES], len(above))


def _height(one: Series) -> tuple[float, list[tuple[str, str]]]:
    return -one.value, sorted(one.labels.items())


def _named(samples: Iterable[Sample], name: str) -> list[tuple[Mapping[str, str], float]]:
    return [(sample.labels, sample.value) for sample in samples if sample.name == name]


def _lost(samples: Iterable[Sample]) -> list[tuple[Mapping[str, str], float]]:
    """Lost runs of what has none that runs."""
    runs: Counter[tuple[str, str, str]] = Counter()
    for labels, value in _named(samples, "sluice_runs"):
        runs[labels["pipeline"], labels["target"], labels["state"]] += int(value)
    return [
        ({"pipeline": pipeline, "target": target}, float(number))
        for (pipeline, target, state), number in runs.items()
        if state == "lost" and not runs[pipeline, target, "running"]
    ]


def _outages(samples: Sequence[Sample]) -> list[Series]:
    """Outages, each with half of the budget of its run."""
    budgets = {
        (labels["pipeline"], labels["target"]): value
        for labels, value in _named(samples, "sluice_outage_budget_seconds")
    }
    return [
        Series(labels, value, budgets[labels["pipeline"], labels["target"]] / 2)
        for labels, value in _named(samples, "sluice_outage_seconds")
        if (labels["pipeline"], labels["target"]) in budgets
    ]


OUTAGE = Rule(
    "SluiceOutage",
    "page",
    "a service is away for over half of the budget for outages",
    0.5,
    "of the budget",
    "0s",
    "docs/runbooks/outage.md",
)
RULES = (
    Rule(
        "SluiceRunLost",
        "page",
        "a run has ended without a word, and no other runs",
        0,
        "runs",
        "2m",
        "docs/runbooks/run-lost.md",
    ),
    Rule(
        "SluiceDeadLetters",
        "ticket",
        "dead letters wait for somebody",
        1_000,
        "dead letters",
        "15m",
        "docs/runbooks/dead-letters.md",
    ),
    Rule(
        "SluiceJobsOverdue",
        "ticket",
        "a retry is due and nobody tries it",
        900,
        "seconds",
        "5m",
        "docs/runbooks/retries.md",
    ),
    Rule(
        "SluiceLedgerGap",
        "page",
        "partitions have a gap",
        0,
        "partitions",
        "15m",
        "docs/runbooks/gap.md",
    ),
    Rule(
        "SluiceConservationViolated",
        "page",
        "the outcomes of a partition's records do not add up; only the audit compares them with the jobs too",
        0,
        "partitions",
        "0s",
        "docs/runbooks/conservation.md",
    ),
    Rule(
        "SluiceOutboxLate",
        "page",
        "a change waits in the outbox",
        300,
        "seconds",
        "5m",
        "docs/runbooks/outbox.md",
    ),
)
"""The alerts that are judged, apart from ``OUTAGE``, whose threshold is that of the run."""

_FRESHNESS = "the times of single records are in the metrics of the processes"
_TREND = "it is about a change over minutes, and the database has the present only"
_PROCESS = "only the metrics of the processes have that"
_EXPORTER = "it is about the exporter, not the database"
NOT_JUDGED = (
    NotJudged("SluiceFreshnessBurnsFast", "page", _FRESHNESS, "docs/runbooks/freshness.md"),
    NotJudged("SluiceFreshnessBurnsSlowly", "ticket", _FRESHNESS, "docs/runbooks/freshness.md"),
    NotJudged("SluiceNoCommitWhileLagGrows", "page", _TREND, "docs/runbooks/no-commit.md"),
    NotJudged("SluiceLagGrows", "ticket", _TREND, "docs/runbooks/lag.md"),
    NotJudged("SluiceQueueFull", "ticket", _PROCESS, "docs/runbooks/queue.md"),
    NotJudged("SluiceLeaseChurn", "ticket", _PROCESS, "docs/runbooks/leases.md"),
    NotJudged("SluiceDeadLetterRatio", "page", _TREND, "docs/runbooks/dead-letters.md"),
    NotJudged("SluiceRetriesGrow", "ticket", _TREND, "docs/runbooks/retries.md"),
    NotJudged(
        "SluiceRetentionOverdue",
        "ticket",
        "it takes a look at every job, which the audit of the exporter has",
        "docs/runbooks/retention.md",
    ),
    NotJudged("SluiceExporterAbsent", "page", _EXPORTER, "docs/runbooks/exporter.md"),
    NotJudged("SluiceExporterFails", "page", _EXPORTER, "docs/runbooks/exporter.md"),
    NotJudged("SluiceAuditOld", "ticket", _EXPORTER, "docs/runbooks/exporter.md"),
)
