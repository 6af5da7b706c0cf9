"""Pages of failed records: complete, without repetition, light, bounded and masked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sinks.console import counting, failed_records, job_search
from sinks.console.counting import Count
from sinks.console.failed_records import MESSAGE, Page, page
from sinks.database.database import Database as Where
from sinks.jobs.filter import JobFilter
from tests.io.sinks.console.dead_letters import store_dead
from tests.io.sinks.jobs.stored_jobs import FAILED_AT, prepared
from tests.io.sinks.tested_database import Database


def ids(page_: Page) -> list[int]:
    return [record.id for record in page_.records]


def walked(database: Where, which: JobFilter, limit: int) -> list[list[int]]:
    pages, before = [], None
    while True:
        listed = page(database, which, before=before, limit=limit)
        pages.append(ids(listed))
        if listed.older is None:
            return pages
        before = listed.older


class TestPage:
    @pytest.mark.parametrize(
        ("which", "places"),
        [
            (JobFilter(), "54210"),
            (JobFilter(state="all"), "543210"),
            (JobFilter(state="retryable"), "3"),
            (JobFilter(state="completed"), ""),
            (JobFilter(stage="parse"), "4"),
            (JobFilter(stage="parse", text="needle"), "4"),
            (JobFilter(sqlstate="23505"), "5210"),
            (JobFilter(category="malformed", target="events"), "4"),
            (JobFilter(target="others"), ""),
            (JobFilter(source="file:///a"), "54210"),
            (JobFilter(source="file:///b"), ""),
            (JobFilter(text="needle"), "4"),
            (JobFilter(exception="Other"), "5"),
            (JobFilter(ids=(1,)), ""),
            (JobFilter(since=FAILED_AT + timedelta(1)), "5"),
            (JobFilter(until=FAILED_AT + timedelta(1)), "4210"),
            (JobFilter(pipeline="p"), "2"),
            (JobFilter(pipeline=""), "5410"),
            (JobFilter(pipeline="p", steps=("A",)), "2"),
        ],
    )
    def test_every_filter_of_the_command_narrows(
        self, database: Database, which: JobFilter, places: str
    ) -> None:
        config = prepared(database)
        numbers = store_dead(
            config,
            {},
            {},
            {"pipeline": "p", "steps": '["A"]'},
            {"state": "retryable"},
            {
                "stage": "parse",
                "category": "malformed",
                "sqlstate": None,
                "raw": b"a needle",
            },
            {"exception": "Other", "inserted_at": FAILED_AT + timedelta(2)},
        )
        if which.ids:
            which, places = JobFilter(ids=(numbers[1], numbers[3], numbers[5])), "51"
        listed = page(config.database, which)
        assert "".join(record.place for record in listed.records) == places
        assert (listed.older, listed.newer, listed.complete) == (None, None, True)

    @pytest.mark.parametrize("which", [JobFilter(), JobFilter(stage="write"), JobFilter(text="{")])
    def test_pages_are_complete_while_more_records_fail(
        self, database: Database, which: JobFilter
    ) -> None:
        config = prepared(database)
        before: list[int] = store_dead(config, *({"message": "ab"[i % 2]} for i in range(10)))
        seen: list[int] = []
        listed = page(config.database, which, limit=3)
        number = 0
        while True:
            seen += ids(listed)
            number += 1
            store_dead(config, {}, {}, partition=f"more-{number}")
            if listed.older is None:
                break
            listed = page(config.database, which, before=listed.older, limit=3)
        assert seen == sorted(before, reverse=True)

    def test_back_to_newer_pages(self, database: Database) -> None:
        config = prepared(database)
        numbers = sorted(store_dead(config, *({} for _ in range(7))), reverse=True)
        first = page(config.database, JobFilter(), limit=3)
        second = page(config.database, JobFilter(), before=first.older, limit=3)
        third = page(config.database, JobFilter(), before=second.older, limit=3)
        assert [ids(first), ids(second), ids(third)] == [numbers[:3], numbers[3:6], numbers[6:]]
        assert (first.newer, third.older) == (None, None)
        back = page(config.database, JobFilter(), after=third.newer, limit=3)
        assert ids(back) == ids(second)
        start = page(config.database, JobFilter(), after=back.newer, limit=3)
        assert (ids(start), start.newer, start.older) == (ids(first), None, first.records[-1].id)

    def test_a_rare_record_is_searched_for_in_bounded_steps(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(failed_records, "LOOKED_AT", 4)
        monkeypatch.setattr(failed_records, "SECONDS", 60)
        monkeypatch.setattr(job_search, "CHUNKS", (2, 2, 2))
        config = prepared(database)
        numbers = store_dead(config, {"raw": b"needle"}, *({} for _ in range(9)))
        which = JobFilter(text="needle")
        listed = page(config.database, which)
        assert (ids(listed), listed.searched, listed.complete) == ([], 4, False)
        assert listed.older == numbers[6]
        assert walked(config.database, which, 3) == [[], [], [numbers[0]]]

    def test_a_slow_search_stops_but_says_when_it_has_seen_everything(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(failed_records, "SECONDS", -1)
        config = prepared(database)
        numbers = store_dead(config, *({} for _ in range(5)))
        which = JobFilter(text="needle")
        whole = page(config.database, which)
        assert (whole.searched, whole.older, whole.complete) == (5, None, True)
        monkeypatch.setattr(job_search, "CHUNKS", (2, 2, 2))
        part = page(config.database, which)
        assert (part.searched, part.older, part.complete) == (2, numbers[3], False)

    @pytest.mark.parametrize(
        ("which", "total"),
        [
            (JobFilter(), 6),
            (JobFilter(state="discarded"), 6),
            (JobFilter(state="all"), 7),
            (JobFilter(stage="parse"), 3),
            (JobFilter(target="events"), 6),
            (JobFilter(target="others"), 0),
            (JobFilter(stage="parse", source="file:///a"), None),
            (JobFilter(text="{"), None),
            (JobFilter(text="needle"), 1),
            (JobFilter(state="retryable"), 1),
        ],
    )
    def test_all_that_match_are_counted_where_an_index_finds_them(
        self, database: Database, which: JobFilter, total: int | None
    ) -> None:
        config = prepared(database)
        parse = {"stage": "parse", "raw": b"{}"}
        waits = {"state": "retryable"}
        numbers = store_dead(config, parse, parse, parse, {}, {}, {"raw": b"needle"}, waits)
        expected = None if total is None else Count(total, exact=True)
        first = page(config.database, which, limit=2)
        assert first.total == expected
        if first.older is not None:
            assert page(config.database, which, before=first.older, limit=2).total == expected
        by_number = JobFilter(ids=tuple(numbers[:5]), stage="parse")
        assert page(config.database, by_number, limit=2).total == Count(3, exact=True)

    def test_many_are_estimated(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(counting, "MOST", 2)
        config = prepared(database)
        store_dead(config, {}, {}, {})
        total = page(config.database, JobFilter(), limit=1).total
        assert total is not None
        assert not total.exact
        assert total.number >= 2

    def test_a_record_is_light_and_has_its_group(self, database: Database) -> None:
        config = prepared(database)
        store_dead(config, {"message": "x" * 1_000, "raw": b"12345", "element": 2})
        (record,) = page(config.database, JobFilter()).records
        assert record.message == "x" * MESSAGE + "…"
        assert (record.size, record.place, record.replays) == (5, "0[2]", 0)
        assert record.fingerprint is not None
        assert page(config.database, JobFilter(fingerprint=record.fingerprint)).records == (record,)

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            (b'{"ssn": "123-45-6789"}', "no such person: ***"),
            (b"{", "(not shown, since it may quote hidden fields)"),
            (b'{"ssn": "123-45-6789", "x": "' + b"x" * (70 << 10) + b'"}', None),
        ],
    )
    def test_messages_do_not_quote_hidden_fields(
        self, database: Database, raw: bytes, message: str | None
    ) -> None:
        config = prepared(database)
        hides: dict[str, Any] = {"raw": raw, "message": "no such person: 123-45-6789"}
        store_dead(config, hides)
        database.run(
            'UPDATE ingest_pipelines SET hidden = \'{"paths": [["ssn"]], "versions": []}\''
        )
        (record,) = page(config.database, JobFilter()).records
        assert record.message == (message or "(not shown, since it may quote hidden fields)")

    def test_without_tables_there_are_none(self, database: Database) -> None:
        assert page(database.database, JobFilter()) == Page((), total=Count(0, exact=True))
