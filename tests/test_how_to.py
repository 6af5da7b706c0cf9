"""Every how-to runs as printed, from top to bottom, and a terminal shows what it shows."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from sinks.database.engine import dispose_engines
from tests.pages.shell import Shell, shell_in
from tests.pipelines.commands import ingested
from tests.pipelines.tables import query
from tests.services.kafka_mock import mock_cluster
from tests.services.kafka_produce import produce
from tests.test_readme import Stage, bin_folders, blocks

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "how-to"
PAGES = sorted(FOLDER.glob("*.md"))


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Shell]:
    """The shell of a reader in a fresh folder."""
    with shell_in(tmp_path) as player:
        yield player


@pytest.fixture
def databases(postgres_server: str) -> Iterator[dict[str, str]]:
    """Empty databases in place of those that a page names."""
    here = {}
    connection = psycopg2.connect(postgres_server)
    connection.autocommit = True
    for name in ("shop", "shop2", "staging"):
        database = f"{name}_{uuid.uuid4().hex[:8]}"
        connection.cursor().execute(f"CREATE DATABASE {database}")
        place = postgres_server[postgres_server.index("@") :]
        here[f"@localhost/{name}"] = place.replace("/postgres?", f"/{database}?")
    here["loader"] = "postgres"
    yield dict(sorted(here.items(), reverse=True))  # shop2 before shop
    dispose_engines()
    for place in here.values():
        if "?" in place:
            database = place[: place.index("?")].rpartition("/")[2]
            connection.cursor().execute(f"DROP DATABASE {database} WITH (FORCE)")
    connection.close()


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("page", ["deletes", "personal-data", "read-again"])
def test_a_page_runs_as_printed(page: str, reader: Shell) -> None:
    reader.follow(FOLDER / f"{page}.md")


@pytest.mark.parametrize("page", ["environments", "move-a-database"])
def test_a_page_with_postgres_runs_as_printed(
    page: str, reader: Shell, databases: dict[str, str]
) -> None:
    reader.stands_for = databases
    reader.follow(FOLDER / f"{page}.md")


def test_the_page_with_topics_runs_as_printed(reader: Shell) -> None:
    """The files ``TOPIC.jsonl`` of the page are the messages of its topics."""
    page = FOLDER / "topics-and-tables.md"
    with mock_cluster() as broker:
        reader.stands_for = {"broker:9092": broker}
        for name, text in blocks(page.read_text(), "json"):
            if name.endswith(".jsonl"):
                lines = [(None, line.encode()) for line in text.splitlines()]
                produce(broker, name.removesuffix(".jsonl"), lines)
        reader.follow(page)


def test_the_page_with_a_bucket_runs_as_printed(
    tmp_path: Path, s3_endpoint: str, s3: S3Client
) -> None:
    """It has a job in the background, so a shell plays all of it."""
    s3.create_bucket(Bucket="bucket")
    upload = f"curl --silent --fail --upload-file 1.jsonl {s3_endpoint}/bucket/incoming/1.jsonl"
    (tmp_path / "folder").mkdir()
    Stage(
        tmp_path / "folder",
        {"aws s3 cp 1.jsonl s3://bucket/incoming/": upload},
        {"PATH": bin_folders(tmp_path), "AWS_ENDPOINT_URL": s3_endpoint},
    ).play(FOLDER / "watch-a-bucket.md")


def test_a_ledger_that_is_restored_decides_where_a_topic_goes_on(tmp_path: Path) -> None:
    """Not the group, which is at the end by then: ``move-a-database.md`` promises it."""
    shop, backup = f"sqlite:///{tmp_path}/shop.db", f"sqlite:///{tmp_path}/backup.db"
    with mock_cluster() as broker:
        topic = f"kafka://{broker}/orders?group=shop"
        produce(broker, "orders", [(b"1", b'{"id": 1}')])
        assert ingested(topic, shop)["inserted"] == 1
        shutil.copy(tmp_path / "shop.db", tmp_path / "backup.db")
        produce(
            broker, "orders", [(b"%d" % number, b'{"id": %d}' % number) for number in (1, 2, 3)]
        )
        assert ingested(topic, shop)["read"] == 3
        assert ingested(topic, backup)["read"] == 3
    assert query(shop, "SELECT * FROM events ORDER BY id") == query(
        backup, "SELECT * FROM events ORDER BY id"
    )


def test_every_page_is_played() -> None:
    source = Path(__file__).read_text()
    assert [page.stem for page in PAGES if f'"{page.stem}' not in source] == []


def test_the_list_names_every_page() -> None:
    listed = (FOLDER.parent / "how-to.md").read_text()
    assert [page.name for page in PAGES if f"(how-to/{page.name})" not in listed] == []
