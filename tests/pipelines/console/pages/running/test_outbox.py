"""Changes that wait and those published, whatever their tables are called."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import outbox
from tests.io.sinks.console.test_outbox import filled
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import bearer, console, token_file
from tests.pipelines.console.pages.running.harmless import check_harmless
from tests.pipelines.console.pages.stored_letters import HOSTILE


def stored(folder: Path) -> Database:
    return Database("sqlite", f"sqlite:///{folder}/outbox.db")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_changes_are_harmless(tmp_path: Path, text: str) -> None:
    database = stored(tmp_path)
    filled(database, 2)
    with transaction(database.database, "test") as connection:
        names = ("target", "source", "partition")
        connection.execute(sa.update(outbox).values(dict.fromkeys(names, text)))
        first = sa.update(outbox).where(outbox.c.id == 1)
        connection.execute(first.values(published_at=outbox.c.created_at))
    with console(database.database) as client:
        check_harmless(client.get("/outbox").text)
        check_harmless(client.get("/outbox", params={"target": text}).text)
        answer = client.get("/api/outbox").json()
        assert (answer["rows"][0]["source"], answer["published"][0]["id"]) == (text, 1)


def test_each_change_is_on_one_page(tmp_path: Path) -> None:
    database = stored(tmp_path)
    filled(database, 120)
    database.run("UPDATE ingest_outbox SET published_at = created_at WHERE id = 7")
    with console(database.database) as client:
        numbers: list[int] = []
        address: str | None = "/outbox?target=events"
        while address:
            page = client.get(address).text
            waiting, _, published = page.partition("Published last")
            numbers += map(int, re.findall(r"<tr><td>(\d+)</td>", waiting))
            assert re.findall(r"<tr><td>(\d+)</td>", published) == ["7"]
            more = re.search(r'rel="next" href="([^"]+)"', page)
            address = unescape(more[1]) if more else None
        assert numbers == [number for number in range(1, 121) if number != 7]
        answer = client.get("/api/outbox?limit=500").json()
        assert [row["id"] for row in answer["rows"]] == numbers
        for query in ("after=x", "target=%00"):
            assert client.get(f"/outbox?{query}").status_code == 400


def test_neither_keys_nor_payloads_are_shown(tmp_path: Path) -> None:
    database = stored(tmp_path)
    filled(database, 1)
    with transaction(database.database, "test") as connection:
        connection.execute(sa.update(outbox).values(payload=b"s3cr3t", key=b"s3cr3t"))
    options: dict[str, Any] = {"token_file": token_file(tmp_path), "hide_payloads": True}
    with console(database.database, **options) as client:
        for address in ("/outbox", "/api/outbox"):
            assert "s3cr3t" not in client.get(address, headers=bearer("admin")).text


def test_an_empty_outbox_says_so(tmp_path: Path) -> None:
    database = stored(tmp_path)
    with console(database.database) as client:
        assert "Nothing was ingested" in client.get("/outbox").text
        database.sink()
        assert "No change waits" in client.get("/outbox").text
        assert "None of this table" in client.get("/outbox?target=x").text
