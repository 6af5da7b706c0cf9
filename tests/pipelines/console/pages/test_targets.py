"""A table with its sources and columns, and the coverage of its partitions."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from tests.io.sinks.jobs.stored_jobs import DEAD, store
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import console
from tests.pipelines.console.pages.stored_letters import HOSTILE, letters


def partitions(page: str) -> list[str]:
    return re.findall(r'<tr><th scope="row" class="long">(.*?)</th>', page)


def test_a_table_has_its_counts_and_columns(tmp_path: Path) -> None:
    config, _ = letters(tmp_path, {}, {})
    store(config, DEAD, source=HOSTILE[1], partition=HOSTILE[0])
    with console(config.database) as client:
        page = client.get("/targets/events").text
        assert "<strong>3</strong> dead letters" in page
        assert 'class="number">Expanded' not in page, "no record was expanded"
        assert "Every record has one outcome" in page
        assert re.search(r'<th scope="row">id</th>.*?primary key', page, re.DOTALL)
        assert "<img" not in page
        assert client.get("/targets/nothing").status_code == 404


def test_a_count_that_does_not_add_up_is_said(tmp_path: Path) -> None:
    config, _ = letters(tmp_path, {}, {})
    Database("sqlite", config.database.url).run("UPDATE ingest_counts SET dead = dead + 1")
    with console(config.database) as client:
        assert "do not add up" in client.get("/targets/events").text


def test_pages_have_each_partition_once(tmp_path: Path) -> None:
    config, _ = letters(tmp_path, {})
    for number in range(60):
        store(config, DEAD, partition=f"{number:03}/{HOSTILE[0]}")
    with console(config.database) as client:
        first = client.get("/targets/events/partitions").text
        (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
        second = client.get(unescape(following)).text
        assert "<script>alert" not in first + second
        listed = partitions(first) + partitions(second)
        for page in (first, second):
            assert page.count('scope="rowgroup"') == 1, "their source is named once a page"
        assert len(listed) == len(set(listed)) == 61
        assert "Next page" not in second
        for wrong in ("after=x", "after=a&after=b"):
            assert client.get(f"/targets/events/partitions?{wrong}").status_code == 400
        assert client.get("/targets/nothing/partitions").status_code == 404


def test_a_gap_is_drawn_and_found(tmp_path: Path) -> None:
    config, _ = letters(tmp_path, {})
    store(config, DEAD, partition="whole")
    database = Database("sqlite", config.database.url)
    names = "pipeline, source, partition, read, inserted, updated, duplicates, filtered, dead"
    others = "retrying, expanded, rewound, final, updated_at"
    database.run(
        f"INSERT INTO ingest_progress ({names}, {others}, start_offset, end_offset) "
        f"SELECT {names}, {others}, 10, 20 FROM ingest_progress WHERE partition = 'whole'"
    )
    with console(config.database) as client:
        page = client.get("/targets/events/partitions?gaps=1").text
        assert partitions(page) == ["whole"]
        assert 'class="gap"' in page
        assert "gaps: 1" in page
