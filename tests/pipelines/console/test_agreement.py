"""However dead letters are counted, there are as many: page, API, groups, command and audit."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from sinks.console import counting, groups
from sinks.database import leases
from sinks.database.engine import dispose_engines
from tests.io.sinks.jobs.queued_jobs import Queue, retryable
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import audit, dead_letters
from tests.pipelines.console.consoles import console, csrf
from transforms.batch.record import Failure

pytestmark = pytest.mark.slow

NUMBER = 2_000
"""As many as are counted one by one here; five times as many in the program."""

KINDS: tuple[dict[str, Any], ...] = (
    {"stage": "parse", "category": "malformed", "exception": "ParseError", "message": "no JSON"},
    {"stage": "validate", "category": "schema", "message": "/id: {} is no text"},
    {"stage": "validate", "category": "schema", "message": "/n: {} is too large"},
    {"stage": "write", "category": "constraint", "sqlstate": "23505", "message": "Key ({})"},
    {"stage": "write", "category": "data", "sqlstate": "22003", "exception": "DataError"},
)


def failure(number: int) -> Failure:
    kind = KINDS[number % len(KINDS)]
    message = kind.get("message", "value {} is out of range").format(number)
    partition = f"p{number % 4}"
    changes = {**kind, "message": message, "transient": False}
    return retryable(number, partition, **changes)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    yield Database("postgres", postgres_url)
    leases.release_all()
    dispose_engines()


def test_every_count_is_the_same(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (counting, groups):
        monkeypatch.setattr(module, "MOST", NUMBER)
    Queue(database, *map(failure, range(NUMBER)))
    share = NUMBER // len(KINDS)
    with console(database.database) as client:
        before = counted(client, database, capsys)
        assert sorted(before.values()) == [share] * len(KINDS)
        schema = "/dead-letters?category=schema"
        assert total(client.get(schema).text) == 2 * share

        form = {"csrf": csrf(client), "reason": "the schema is repaired"}
        filters = {"every": "1", "category": "schema"}
        replayed = client.post("/dead-letters/replay", data={**form, **filters})
        assert replayed.status_code == 303
        after = counted(client, database, capsys)
        assert sorted(after.values()) == [share] * 3
        assert total(client.get(schema).text) == 0

        of_one = next(iter(after))
        purged = ("--fingerprint", of_one.replace("-", ""), "--reason", "nobody needs them")
        assert dead_letters("purge", "--sink", database.url, *purged) == 0
        one_by_one = [("selected", str(number)) for number in listed(client)[:7]]
        fields = [*form.items(), *one_by_one]
        body = "&".join(f"{name}={text.replace(' ', '+')}" for name, text in fields)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post("/dead-letters/purge", content=body, headers=kind).status_code == 303
        rest = counted(client, database, capsys)
        assert rest.keys() == after.keys() - {of_one}
        assert sum(rest.values()) == 2 * share - 7


def counted(
    client: TestClient, database: Database, capsys: pytest.CaptureFixture[str]
) -> dict[str, int]:
    """How many there are in each group, after every way to count them has said the same."""

    def command(*argv: str) -> Any:
        capsys.readouterr()
        assert dead_letters(*argv, "--sink", database.url, "--json") == 0
        return json.loads(capsys.readouterr().out)

    groups = client.get("/api/dead-letters/groups").json()["groups"]
    counts: dict[str, int] = {group["fingerprint"]: group["count"]["number"] for group in groups}
    assert all(group["count"]["exact"] for group in groups)
    number = sum(counts.values())
    page = client.get("/dead-letters/groups").text
    assert numbers(page) == [group["count"]["number"] for group in groups]

    assert total(client.get("/dead-letters").text) == number
    whole = client.get("/api/dead-letters?limit=1").json()
    assert whole["total"] == {"number": number, "exact": True}
    ids = listed(client)
    assert len(ids) == number
    for fingerprint, count in counts.items():
        of_group = f"/dead-letters?fingerprint={fingerprint}"
        assert total(client.get(of_group).text) == count
    assert sum(row["count"] for row in command("stats")) == number
    by_command = command("list", "--limit", str(2 * NUMBER))
    assert [job["id"] for job in by_command] == ids
    of_groups = Counter(group_of(job) for job in by_command)
    assert sorted(of_groups.values()) == sorted(counts.values())

    capsys.readouterr()
    assert audit(database.url, "--json") == 0
    partitions = json.loads(capsys.readouterr().out)
    assert sum(partition["jobs"]["dead"] for partition in partitions) == number
    return counts


def group_of(job: dict[str, Any]) -> tuple[str, ...]:
    return (job["stage"], job["category"], str(job["exception"]), job["message"][:3])


def listed(client: TestClient) -> list[int]:
    """The numbers of all dead letters, page by page."""
    ids: list[int] = []
    address = "/api/dead-letters?limit=500"
    before = ""
    while True:
        page = client.get(address + before).json()
        ids += [record["id"] for record in page["records"]]
        if page["older"] is None:
            return ids
        before = f"&before={page['older']}"


def total(page: str) -> int:
    """What the list says that match."""
    match = re.search(r"<strong>([\d,]+)</strong> records?\b", page)
    assert match is not None
    return int(match[1].replace(",", ""))


def numbers(page: str) -> list[int]:
    """The numbers of the groups, in their order."""
    cells = re.findall(r'<td class="number"><a [^>]*>([\d,]+)</a>', page)
    return [int(text.replace(",", "")) for text in cells]
