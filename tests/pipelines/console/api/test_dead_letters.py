"""The API does what the pages do."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipelines.console.pages.acting import actions
from tests.io.sinks.jobs.stored_jobs import stored, trail
from tests.pipelines.console.consoles import bearer, console, token_file
from tests.pipelines.console.pages.stored_letters import letters


class TestOperations:
    def test_list_and_one(self, tmp_path: Path) -> None:
        config, numbers = letters(tmp_path, {"raw": b"\xff"}, {"stage": "parse"}, {})
        with console(config.database) as client:
            listed = client.get("/api/dead-letters?limit=2").json()
            assert [record["id"] for record in listed["records"]] == numbers[:0:-1]
            rest = client.get(f"/api/dead-letters?before={listed['older']}").json()
            assert [record["id"] for record in rest["records"]] == numbers[:1]
            assert rest["older"] is None
            parse = client.get("/api/dead-letters?stage=parse").json()
            assert [record["id"] for record in parse["records"]] == [numbers[1]]
            letter = client.get(f"/api/dead-letters/{numbers[0]}").json()
            assert base64.b64decode(letter["raw"]) == b"\xff"
            assert letter["digest"] == sha256(b"\xff").hexdigest()
            assert client.get("/api/dead-letters/99").status_code == 404
            assert client.get("/api/dead-letters?since=nope").status_code == 400
            assert client.get("/api/dead-letters?limit=501").status_code == 400

    def test_actions(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config, numbers = letters(tmp_path, {}, {"stage": "parse"}, {}, {})
        headers = bearer("admin")
        with console(config.database, token_file=token_file(tmp_path)) as client:

            def post(name: str, **body: Any) -> Any:
                sent = {"reason": "x", **body}
                return client.post(f"/api/dead-letters/{name}", json=sent, headers=headers)

            done = post("replay", filter={"stage": "parse"}).json()
            assert (done["changed"], done["order"]) == (1, None)
            assert post("cancel", ids=[numbers[1]]).json()["changed"] == 1
            assert post("purge", ids=[numbers[1]]).json()["changed"] == 1
            assert post("replay").status_code == 400
            assert post("replay", ids=[1], filter={}).status_code == 400
            assert post("replay", ids=[1], reason="").status_code == 400
            assert trail(config) == [("replay", 1), ("cancel", 1), ("purge", 1)]
            monkeypatch.setattr(actions, "AT_ONCE", 2)
            done = post("replay", filter={}).json()
            assert (done["changed"], done["entries"]) == (0, [])
            order = client.get(f"/api/orders/{done['order']}", headers=headers).json()
            assert (order["state"], order["action"]) == ("available", "replay")
            orders = client.get("/api/orders", headers=headers).json()
            assert orders["orders"] == [order]
            address = f"/api/orders/{done['order']}/cancel"
            ended = client.post(address, json={"reason": "no"}, headers=headers).json()
            assert ended["state"] == "cancelled"
        assert stored(config, "state") == ["discarded"] * 3

    def test_edit(self, tmp_path: Path) -> None:
        config, (number,) = letters(tmp_path, {"raw": b"{}"})
        headers = bearer("operator")
        with console(config.database, token_file=token_file(tmp_path)) as client:

            def edit(raw: str, **more: Any) -> Any:
                body = {"raw": raw, "digest": sha256(b"{}").hexdigest(), "reason": "x", **more}
                address = f"/api/dead-letters/{number}/edit"
                return client.post(address, json=body, headers=headers)

            assert edit("not base64!").status_code == 400
            done = edit(base64.b64encode(b'{"a":1}').decode(), replay=True).json()
            assert done == {"fields": ["a"], "problem": None, "replayed": True}
            assert edit(base64.b64encode(b"[]").decode()).status_code == 400
        assert stored(config, "raw", "state") == [(b'{"a":1}', "available")]
