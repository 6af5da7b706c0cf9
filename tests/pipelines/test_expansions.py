"""Records that steps of the user's own make several of: rows, kills, replays, from files and a topic."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest import ingest
from pipelines.operation.verdicts import verdicts
from tests.pipelines.commands import OUTCOMES, audit, dead_letters
from tests.pipelines.programs import ROOT
from tests.pipelines.tables import count_rows, query
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.waiting import wait_until
from transforms.batch.record import Record
from transforms.errors import Reject, RetryLater
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow

Step = Callable[[Record], Any]


def lines_of(record: Record) -> list[Record]:
    """The lines of an order, each with its id."""
    return [record.with_value({"id": number}) for number in record.value["lines"]]


def pairs_of(record: Record) -> list[Record]:
    """The line itself and another one, far away."""
    number = record.value["id"]
    return [record.with_value({"id": number}), record.with_value({"id": number + 1_000_000})]


def refusing(*ids: int, error: Exception) -> Step:
    def check(record: Record) -> Record:
        if record.value["id"] in ids:
            raise error
        return record

    return check


def as_it_is(record: Record) -> Record:
    return record


class Orders:
    """A program that makes rows of the lines of orders, and what it has left behind."""

    def __init__(self, sink: str, folder: Path, source: str = "") -> None:
        self.sink = sink
        self.summary = folder / "summary.json"
        self.options: dict[str, Any] = {
            "source": source or f"{folder}/orders.jsonl",
            "sink": sink,
            "table": "lines",
            "key": "id",
            "backoff_base": 0.05,
            "backoff_cap": 0.05,
            "retry_wait": 30,
            "max_dead": "100%",
            "no_progress": True,
            "summary_json": str(self.summary),
        }
        query(sink, "CREATE TABLE lines (id bigint PRIMARY KEY)")

    def run(
        self, *, lines: Step = lines_of, check: Step = as_it_is, pairs: Step = as_it_is
    ) -> dict[str, Any]:
        """Run the program; returns its summary, which has to add up."""
        labelled = (("Lines", lines), ("Check", check), ("Pairs", pairs))
        steps = [EachRecord(step, label) for label, step in labelled]
        assert ingest(steps=steps, argv=[], **self.options) == 0
        summary: dict[str, Any] = json.loads(self.summary.read_text())
        assert summary["read"] + summary["expanded"] == sum(summary[name] for name in OUTCOMES)
        assert audit(self.sink) == 0
        return summary

    def ledger(self) -> dict[str, int]:
        """The counts of the only partition, which has to be whole."""
        (verdict,) = verdicts(self.sink, None)
        assert verdict.ok
        return {name: number for name, number in verdict.progress.counts if number}

    def ids(self) -> list[int]:
        return [id_ for (id_,) in query(self.sink, "SELECT id FROM lines ORDER BY id")]

    def jobs(self) -> Sequence[tuple[Any, ...]]:
        columns = "expansion, state, category"
        return query(self.sink, f"SELECT {columns} FROM ingest_jobs ORDER BY expansion, id")

    def replay(self) -> int:
        return dead_letters(
            "replay", "--sink", self.sink, "--table", "lines", "--reason", "repaired"
        )


def write(folder: Path, *orders: list[int]) -> None:
    texts = (json.dumps({"lines": order}) + "\n" for order in orders)
    (folder / "orders.jsonl").write_text("".join(texts))


@pytest.fixture
def orders(sink: str, tmp_path: Path) -> Orders:
    write(tmp_path, [1, 2, 3], [], [4], [5, 6])
    return Orders(sink, tmp_path)


class TestFiles:
    def test_every_line_is_a_row_and_every_order_is_read_once(
        self, orders: Orders, capsys: pytest.CaptureFixture[str]
    ) -> None:
        summary = orders.run()
        assert (summary["read"], summary["expanded"]) == (4, 3)
        assert (summary["inserted"], summary["filtered"]) == (6, 1)
        assert orders.ids() == [1, 2, 3, 4, 5, 6]
        assert orders.ledger() == {"read": 4, "expanded": 3, "inserted": 6, "filtered": 1}
        assert "4 read + 3 expanded = 6 inserted" in capsys.readouterr().out
        assert orders.run()["read"] == 0

    def test_a_line_that_fails_is_replayed_alone(
        self, orders: Orders, capsys: pytest.CaptureFixture[str]
    ) -> None:
        summary = orders.run(check=refusing(2, 5, error=Reject("no tenant", "tenant")))
        assert (summary["dead"], summary["inserted"]) == (2, 4)
        assert orders.jobs() == [
            ("0/2:Lines", "discarded", "tenant"),
            ("1/3:Lines", "discarded", "tenant"),
        ]
        capsys.readouterr()
        assert dead_letters("list", "--sink", orders.sink, "--json") == 0
        listed = json.loads(capsys.readouterr().out)
        assert {job["expansion"] for job in listed} == {"1/3:Lines", "0/2:Lines"}
        assert {job["text"] for job in listed} == {'{"lines": [1, 2, 3]}', '{"lines": [5, 6]}'}
        assert orders.replay() == 0
        again = orders.run()
        assert (again["read"], again["expanded"], again["inserted"]) == (2, 0, 2)
        assert again["duplicates"] == 0
        assert orders.ids() == [1, 2, 3, 4, 5, 6]
        assert orders.ledger() == {"read": 4, "expanded": 3, "inserted": 6, "filtered": 1}

    def test_a_line_that_may_succeed_later_is_tried_again_in_the_same_run(
        self, orders: Orders
    ) -> None:
        tries = {2: 2, 3: 1, 6: 3}

        def flaky(record: Record) -> Record:
            number = record.value["id"]
            if tries.get(number, 0):
                tries[number] -= 1
                raise RetryLater("away")
            return record

        summary = orders.run(check=flaky, pairs=pairs_of)
        assert (summary["read"], summary["expanded"], summary["inserted"]) == (4, 9, 12)
        assert summary["attempts"] == 6
        assert orders.ids() == [*range(1, 7), *range(1_000_001, 1_000_007)]
        # A line that was tried again has become two in an attempt at its job.
        assert {state for _, state, _ in orders.jobs()} == {"completed"}

    def test_a_line_of_an_order_that_has_another_number_of_lines_now_is_dead(
        self, orders: Orders, capsys: pytest.CaptureFixture[str]
    ) -> None:
        orders.run(check=refusing(2, error=Reject("no tenant", "tenant")))
        assert orders.replay() == 0
        capsys.readouterr()
        summary = orders.run(lines=lambda record: lines_of(record)[1:])
        assert (summary["inserted"], summary["dead"]) == (0, 1)
        assert orders.jobs() == [("1/3:Lines", "discarded", "expansion_changed")]
        assert dead_letters("list", "--sink", orders.sink) == 0
        assert "now the step makes 2 of it, not 3" in capsys.readouterr().out
        assert orders.replay() == 0
        orders.run()
        assert orders.ids() == [1, 2, 3, 4, 5, 6]
        assert orders.ledger() == {"read": 4, "expanded": 3, "inserted": 6, "filtered": 1}

    def test_an_order_that_failed_as_a_whole_becomes_its_lines_at_its_next_attempt(
        self, orders: Orders, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def away(record: Record) -> list[Record]:
            raise Reject("no prices", "prices")

        assert orders.run(lines=away)["dead"] == 4
        assert orders.replay() == 0
        summary = orders.run(check=refusing(2, error=Reject("no tenant", "tenant")))
        assert (summary["read"], summary["expanded"]) == (4, 3)
        assert (summary["inserted"], summary["dead"], summary["filtered"]) == (5, 1, 1)
        assert orders.ledger() == {
            "read": 4,
            "expanded": 3,
            "inserted": 5,
            "dead": 1,
            "filtered": 1,
        }
        states = [state for _, state, _ in orders.jobs()]
        assert sorted(states) == [*["completed"] * 4, "discarded"]
        whole = query(orders.sink, "SELECT id FROM ingest_jobs WHERE expansion IS NULL ORDER BY id")
        capsys.readouterr()
        assert dead_letters("show", "--id", str(whole[0][0]), "--sink", orders.sink) == 0
        assert "step Lines made 3 records of it; 1 failed: each has its own job" in (
            capsys.readouterr().out
        )


KILLED = """
import sys
from pathlib import Path
from transforms.errors import RetryLater

from pipelines.ingest import ingest
from transforms.steps.each_record import EachRecord


def lines(record):
    return [record.with_value({"id": number}) for number in record.value["lines"]]


def check(record):
    if record.value["id"] % 500 == 7 and not Path(sys.argv[1]).exists():
        raise RetryLater("away")
    return record


if __name__ == "__main__":
    steps = [EachRecord(lines, "Lines"), EachRecord(check, "Check")]
    sys.exit(ingest(steps=steps, argv=sys.argv[2:]))
"""


class TestKilled:
    def test_every_line_is_there_once_after_kills_in_mid_run(
        self, sink: str, tmp_path: Path
    ) -> None:
        count, size = 3_000, 20
        write(tmp_path, *(list(range(size * n, size * (n + 1))) for n in range(count)))
        query(sink, "CREATE TABLE lines (id bigint PRIMARY KEY)")
        program, healed = tmp_path / "program.py", tmp_path / "healed"
        program.write_text(KILLED)
        options = {
            "source": f"{tmp_path}/orders.jsonl",
            "sink": sink,
            "table": "lines",
            "key": "id",
            "backoff_base": "0.05",
            "backoff_cap": "0.05",
            "max_attempts": "1000",
            "job_lease": "2",
            "retry_wait": "30",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        argv = [sys.executable, str(program), str(healed), *flags, "--no_progress"]

        def start() -> subprocess.Popen[bytes]:
            environment = {"PYTHONPATH": f"{ROOT}:{ROOT}/io", "PATH": "/usr/bin:/bin"}
            return subprocess.Popen(argv, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)

        process = start()
        try:
            wait_until(
                lambda: count_rows(sink, "lines") > 0, "rows", alive=lambda: process.poll() is None
            )
            process.kill()
            process.wait()
            assert count_rows(sink, "lines") < count * size, "it was not killed in its middle"
            failed = "SELECT count(*) FROM ingest_jobs WHERE state = 'retryable' AND attempt > 1"
            process = start()
            wait_until(
                lambda: query(sink, failed) != [(0,)],
                "attempts that failed again",
                alive=lambda: process.poll() is None,
            )
            process.kill()
            process.wait()
            healed.touch()
            process = start()
            assert process.wait(timeout=120) == 0
        finally:
            process.kill()
            process.wait()
        numbers = "count(*), count(DISTINCT id), min(id), max(id)"
        assert query(sink, f"SELECT {numbers} FROM lines") == [
            (count * size, count * size, 0, count * size - 1)
        ]
        (verdict,) = verdicts(sink, None)
        assert verdict.ok
        assert {name: number for name, number in verdict.progress.counts if number} == {
            "read": count,
            "expanded": count * (size - 1),
            "inserted": count * size,
        }


@pytest.mark.integration
class TestTopics:
    @pytest.fixture
    def uri(self, kafka_broker: KafkaBroker, topic: Topics) -> str:
        """A topic with one partition and two messages of orders, and one message that is an order."""
        name = topic()
        texts = (
            b'[{"lines":[1,2]},{"lines":[3]},{"lines":[]}]',
            b"[]",
            b'{"lines":[4,5,6]}',
        )
        kafka_broker.produce(name, [(None, text) for text in texts])
        return f"kafka://{kafka_broker.bootstrap}/{name}"

    def test_records_of_a_message_become_several_in_turn(
        self, uri: str, sink: str, tmp_path: Path
    ) -> None:
        orders = Orders(sink, tmp_path, uri)
        orders.options["json_layout"] = "array"
        summary = orders.run(check=refusing(2, 6, error=Reject("no tenant", "tenant")))
        assert (summary["read"], summary["expanded"]) == (3, 5)
        assert (summary["inserted"], summary["dead"], summary["filtered"]) == (4, 2, 2)
        places = query(sink, 'SELECT "offset", element, expansion FROM ingest_jobs ORDER BY 1')
        assert list(places) == [(0, 0, "1/2:Lines"), (2, None, "2/3:Lines")]
        assert orders.replay() == 0
        orders.run()
        assert orders.ids() == [1, 2, 3, 4, 5, 6]
        assert orders.ledger() == {"read": 3, "expanded": 5, "inserted": 6, "filtered": 2}

    def test_without_a_key_those_that_need_two_numbers_are_dead(
        self, uri: str, sink: str, tmp_path: Path
    ) -> None:
        orders = Orders(sink, tmp_path, uri)
        orders.options |= {"json_layout": "array", "key": None, "table": "events"}
        summary = orders.run()
        assert (summary["inserted"], summary["dead"], summary["filtered"]) == (4, 2, 2)
        rows = query(sink, "SELECT ingest_offset, ingest_element FROM events")
        assert sorted(rows) == [(0, 1), (2, 0), (2, 1), (2, 2)]
        assert {category for _, _, category in orders.jobs()} == {"ambiguous_origin"}
