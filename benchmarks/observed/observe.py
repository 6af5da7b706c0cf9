"""Let every alert fire and end, on a real Prometheus, and run every query of rules and dashboards.

    python -m benchmarks.observed.observe [--factor 20] [--json FILE]

A stream of a Kafka topic into Postgres shows its metrics, and so does an exporter; Prometheus scrapes
both every second. Then things go wrong (``scene``). It needs Debian's packages prometheus and
prometheus-alertmanager. Times of the rules are divided by a factor (``shortened``).
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.jobs.outage import postgres
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.observed.feed import feeding
from benchmarks.observed.scene import JOB_LEASE, OUTAGE_BUDGET, SELDOM, Scene, play, prepare
from benchmarks.observed.watchers import (
    OPS,
    Exporter,
    Ports,
    Prometheus,
    alertmanager,
    missing,
    prometheus,
)
from tests.services.kafka_broker import KafkaBroker

TOPIC = "events"
END_SECONDS = 240.0
"""How long alerts may take to end once everything is well."""

QUIET_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of an alert.

    Attributes:
        severity: As in its rule.
        fired: The seconds of the scene at which it began to fire, first and last; empty if it never did.
        ended: Whether it had ended at the end.
        pages: How often a webhook was told that it fires.
        resolved: How often a webhook was told that it has ended.
    """

    severity: str
    fired: tuple[float, ...]
    ended: bool
    pages: int
    resolved: int


def alerts(
    server: Prometheus, told: Mapping[tuple[str, str, str], int], began: float
) -> dict[str, Fired]:
    """What became of each alert, by name."""
    series: dict[str, list[float]] = {}
    for one in server.series('ALERTS{alertstate="firing"}'):
        times = [float(at) for at, _ in one["values"]]
        series.setdefault(one["metric"]["alertname"], []).extend(times)
    firing = server.firing()
    outcomes: dict[str, Fired] = {}
    for group in server.rules["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                name, severity = rule["alert"], rule["labels"]["severity"]
                times = series.get(name, [])
                path = {"page": "/page", "ticket": "/ticket"}[severity]
                outcomes[name] = Fired(
                    severity,
                    (min(times) - began, max(times) - began) if times else (),
                    name not in firing,
                    told.get((path, name, "firing"), 0),
                    told.get((path, name, "resolved"), 0),
                )
    return outcomes


def expressions(rules: Mapping[str, Any], factor: int) -> Iterator[tuple[str, str]]:
    """The place and text of every query, with the variables of dashboards filled in."""
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield f"rule {rule.get('alert') or rule['record']}", rule["expr"]
    for path in sorted((OPS / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                window = max(4, 300 // factor)
                text = target["expr"].replace("$__rate_interval", f"{window}s")
                yield (
                    f"{path.stem}: {panel['title']} {target['refId']}",
                    re.sub(r"\$\w+", ".*", text),
                )


def observe(factor: int) -> tuple[dict[str, Fired], list[str], int, list[tuple[float, str]]]:
    """Play the scene; returns alerts, queries without an answer, how many there are, and the timeline."""
    ports = Ports.free()
    with (
        tempfile.TemporaryDirectory(prefix="observed-") as folder,
        postgres(Path(folder)) as database,
        KafkaBroker() as broker,
    ):
        root = Path(folder)
        prepare(root, database.dsn)
        broker.create_topic(TOPIC, 2)
        broker.create_topic("changes", 1)
        (root / "step.py").write_text("def same(record):\n    return record\n")
        exporter = Exporter(root / "exporter", database.dsn, ports.exporter)
        ingestion = Ingestion(
            *(root / "ingest", f"kafka://{broker.bootstrap}/{TOPIC}", database.dsn, "events"),
            (
                *("--key", "event_id", "--metrics_address", str(ports.process)),
                *("--outage_budget", str(OUTAGE_BUDGET), "--job_lease", str(JOB_LEASE)),
                *("--max_attempts", "1000", "--backoff_cap", "5"),
                *("--step", f"{root}/step.py:same?concurrency=2"),
            ),
        )
        try:
            exporter.start(SELDOM)
            ingestion.start()
            with (
                alertmanager(root, ports) as told,
                prometheus(root, ports, factor) as server,
                feeding(broker.bootstrap, TOPIC) as feed,
            ):
                scene = Scene(root, database, broker, ingestion, exporter, feed)
                began = time.time()
                play(scene)
                _await_quiet(server)
                fired = alerts(server, Counter(told), began)
                queries = list(expressions(server.rules, factor))
                silent = [place for place, text in queries if not server.series(text)]
            ingestion.stop()
        except BaseException:
            print(ingestion.tail())
            raise
        finally:
            ingestion.close()
            exporter.kill()
    return fired, silent, len(queries), scene.timeline


def _await_quiet(server: Prometheus) -> None:
    """Wait until nothing has fired for ``QUIET_SECONDS``: what was late is committed after the restart."""
    deadline = time.monotonic() + END_SECONDS
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < QUIET_SECONDS:
        firing = server.firing()
        if firing:
            quiet_since = time.monotonic()
        if time.monotonic() > deadline:
            print(f"still firing after {END_SECONDS:.0f} s: {', '.join(sorted(firing))}")
            return
        time.sleep(1)


def main() -> None:
    """Play the scene; print what fired."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--factor", type=int, default=20, help="times are divided by it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it")
    arguments = parser.parse_args()
    if missing():
        raise SystemExit(f"missing: {', '.join(missing())}")
    fired, silent, number, timeline = observe(arguments.factor)
    print("| alert | severity | fired at, s | last at, s | ended | webhook: firing, resolved |")
    print("|---|---|---|---|---|---|")
    for name, one in fired.items():
        first, last = (f"{at:.0f}" for at in one.fired) if one.fired else ("never", "")
        ended = "yes" if one.ended else "**no**"
        print(
            f"| {name} | {one.severity} | {first} | {last} | {ended} | {one.pages}, {one.resolved} |"
        )
    print(f"{number - len(silent)} of {number} queries returned data")
    for place in silent:
        print(f"  nothing: {place}")
    if arguments.json is not None:
        outcomes = {name: asdict(one) for name, one in fired.items()}
        report = {"alerts": outcomes, "silent": silent, "queries": number, "timeline": timeline}
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
