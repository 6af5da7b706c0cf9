"""Replay, cancel and purge: confirmed, done by those who may, and accounted for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipelines.console.pages.acting import actions
from sinks.bulk.worker import Worker
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import stored, trail
from tests.pipelines.console.consoles import TOKENS, bearer, console, csrf, token_file
from tests.pipelines.console.pages.stored_letters import letters

PARSE = {"stage": "parse"}


def post(client: TestClient, action: str, **fields: Any) -> Any:
    form = {"csrf": csrf(client), "reason": "it is repaired", **fields}
    return client.post(f"/dead-letters/{action}", data=form)


class TestConfirm:
    def test_it_says_how_many_and_what_is_left_alone(self, tmp_path: Path) -> None:
        kinds: list[dict[str, Any]] = [PARSE, PARSE, {**PARSE, "replays": 9}, {}]
        config, numbers = letters(tmp_path, *kinds)
        with console(config.database) as client:
            address = "/dead-letters/confirm?action=replay&every=1&stage=parse"
            page = client.get(address).text
            assert "<strong>2</strong> records would be changed" in page
            assert "1 were replayed too often already" in page
            assert f'href="/dead-letters/{numbers[1]}"' in page
            assert f'href="/dead-letters/{numbers[3]}"' not in page
            assert 'name="stage" value="parse"' in page
            few = client.get(f"/dead-letters/confirm?action=purge&selected={numbers[3]}").text
        assert "<strong>1</strong> records would be changed" in few
        assert "gone for good" in few
        assert stored(config, "state") == ["discarded"] * 4

    @pytest.mark.parametrize(
        "query",
        [
            "action=replay",
            "action=nope&every=1",
            "action=cancel&every=1&state=discarded",
            "action=replay&selected=x",
        ],
    )
    def test_what_cannot_be_done_is_one_line(self, tmp_path: Path, query: str) -> None:
        config, _ = letters(tmp_path, {})
        with console(config.database) as client:
            assert client.get(f"/dead-letters/confirm?{query}").status_code == 400

    def test_those_who_may_not_are_told_so(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, {})
        address = "/dead-letters/confirm?action=replay&every=1"
        with console(config.database, read_only=True) as client:
            assert client.get(address).status_code == 403
        with console(config.database, token_file=token_file(tmp_path)) as client:
            for role, status in (("viewer", 403), ("operator", 200)):
                assert client.get(address, headers=bearer(role)).status_code == status

    def test_many_become_an_order(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(actions, "AT_ONCE", 3)
        config, _ = letters(tmp_path, *({} for _ in range(5)))
        with console(config.database) as client:
            page = client.get("/dead-letters/confirm?action=replay&every=1").text
        assert "this becomes a long order" in page


class TestActions:
    def test_selected_records_are_replayed_and_followed(self, tmp_path: Path) -> None:
        config, (one, two, _) = letters(tmp_path, {}, {}, {})
        with console(config.database) as client:
            answer = post(client, "replay", selected=[str(one), str(two)])
            assert answer.status_code == 303
            assert stored(config, "state") == ["available", "available", "discarded"]
            page = client.get(answer.headers["location"]).text
            assert "Replay: 2 records" in page
            assert re.search(r"<dt>available</dt><dd>2</dd>", page)
            assert trail(config) == [("replay", 2)]
            answer = post(client, "cancel", every="1", state="available")
            page = client.get(answer.headers["location"]).text
            assert re.search(r"<dt>cancelled</dt><dd>2</dd>", page)
            answer = post(client, "purge", selected=[str(one)])
            page = client.get(answer.headers["location"]).text
            assert re.search(r"<dt>purged</dt><dd>1</dd>", page)
        assert stored(config, "state") == ["cancelled", "discarded"]
        assert trail(config) == [("replay", 2), ("cancel", 2), ("purge", 1)]

    def test_all_that_match_and_no_others(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, PARSE, {}, PARSE)
        with console(config.database) as client:
            assert post(client, "replay", every="1", stage="parse").status_code == 303
        assert stored(config, "state") == ["available", "discarded", "available"]

    def test_nothing_to_do_is_said(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, {})
        with console(config.database) as client:
            assert post(client, "replay", every="1", stage="none").status_code == 400
            assert post(client, "replay").status_code == 400
            assert post(client, "replay", every="1", reason=" ").status_code == 400
        assert trail(config) == []

    def test_more_become_an_order_that_a_worker_completes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(actions, "AT_ONCE", 10)
        config, _ = letters(tmp_path, *({} for _ in range(25)), PARSE)
        with console(config.database) as client:
            answer = post(client, "replay", every="1", stage="write")
            address = answer.headers["location"]
            assert re.fullmatch(r"/orders/\d+", address)
            page = client.get(address).text
            assert 'data-live="live"' in page
            assert "Order" in page
            assert Worker(config.database).look()
            page = client.get(address).text
            assert "completed" in page
            assert "<dd>25 of about" in page
            assert 'data-live=""' in page
            assert f'href="{address}"' in client.get("/orders").text
        assert stored(config, "state") == ["available"] * 25 + ["discarded"]

    @pytest.mark.parametrize("read_only", [False, True])
    @pytest.mark.parametrize(
        ("action", "least"), [("replay", "operator"), ("cancel", "operator"), ("purge", "admin")]
    )
    def test_only_those_who_may(
        self, tmp_path: Path, action: str, least: str, read_only: bool
    ) -> None:
        state = "available" if action == "cancel" else "discarded"
        config, numbers = letters(tmp_path, *({"state": state} for _ in TOKENS))
        options: dict[str, Any] = {"token_file": token_file(tmp_path), "read_only": read_only}
        with console(config.database, **options) as client:
            for number, role in zip(numbers, TOKENS, strict=True):
                token = csrf(client, headers=bearer(role))
                form = {"csrf": token, "reason": "x", "selected": str(number)}
                answer = client.post(f"/dead-letters/{action}", data=form, headers=bearer(role))
                may = list(TOKENS).index(role) >= list(TOKENS).index(least) and not read_only
                assert answer.status_code == (303 if may else 403)
                api = client.post(
                    f"/api/dead-letters/{action}",
                    json={"reason": "x", "ids": [number]},
                    headers=bearer(role),
                )
                assert api.status_code == (400 if may else 403)

    @pytest.mark.parametrize("action", ["replay", "cancel", "purge"])
    def test_a_form_of_another_session_does_nothing(self, tmp_path: Path, action: str) -> None:
        config, (number,) = letters(tmp_path, {})
        before = unchanged(config)
        with console(config.database) as client:
            form = {"csrf": "x", "reason": "x", "selected": str(number)}
            assert client.post(f"/dead-letters/{action}", data=form).status_code == 403
            get = client.get(f"/dead-letters/{action}", params=form)
            assert get.status_code in (404, 405)
        assert unchanged(config) == before


def unchanged(config: SqlConfig) -> Any:
    return stored(config, "state", "replays"), trail(config)
