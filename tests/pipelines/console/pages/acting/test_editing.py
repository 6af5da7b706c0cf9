"""Edits by a form: every character comes back, conflicts are said, and hidden fields stay hidden."""

from __future__ import annotations

import re
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipelines.console.pages.acting.editing import text_to_edit
from tests.io.sinks.jobs.stored_jobs import stored, trail
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import bearer, console, csrf, token_file
from tests.pipelines.console.pages.stored_letters import HOSTILE, letters


def textarea(page: str) -> str:
    match = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert match is not None
    return unescape(match[1])


def save(client: TestClient, number: int, raw: bytes, record: str, **fields: Any) -> Any:
    form = {
        "csrf": csrf(client),
        "reason": "a typo",
        "digest": sha256(raw).hexdigest(),
        "record": record,
        "step": "save",
        **fields,
    }
    return client.post(f"/dead-letters/{number}/edit", data=form)


class TestTextToEdit:
    @pytest.mark.parametrize("text", ["", "\n{}", "é\u202e", *HOSTILE])
    def test_text_comes_back(self, text: str) -> None:
        assert text_to_edit(text.encode(), "") == text

    @pytest.mark.parametrize("raw", [b"\xff", b"a\r\nb", b"a\x00", b"x" * (1 << 20)])
    def test_what_a_form_would_change_is_not_edited_in_one(self, raw: bytes) -> None:
        assert text_to_edit(raw, "") is None


class TestEditing:
    @pytest.mark.parametrize("text", ["\n\n{}", *HOSTILE[:4]])
    def test_the_form_has_the_record_and_no_more(self, tmp_path: Path, text: str) -> None:
        config, (number,) = letters(tmp_path, {"raw": text.encode()})
        with console(config.database) as client:
            page = client.get(f"/dead-letters/{number}/edit").text
        assert textarea(page) == text
        assert "<img src=x" not in page
        assert "<svg" not in page

    def test_edit_and_replay(self, tmp_path: Path) -> None:
        raw = b'{"id": "x",\n"n": 1}'
        config, (number,) = letters(tmp_path, {"raw": raw})
        with console(config.database) as client:
            record = '{"id": 7,\r\n"n": 1}'
            preview = save(client, number, raw, record, step="preview", reason="")
            assert preview.status_code == 200
            assert "<li>id</li>" in preview.text
            assert "<li>n</li>" not in preview.text
            assert textarea(preview.text) == '{"id": 7,\n"n": 1}'
            assert stored(config, "raw") == [raw]
            answer = save(client, number, raw, record, step="replay")
            assert answer.status_code == 303
            page = client.get(answer.headers["location"]).text
            assert "edited and replayed: id." in page
            assert "The record as it was read" in page
        assert stored(config, "raw", "state") == [(b'{"id": 7,\n"n": 1}', "available")]
        assert [action for action, _ in trail(config)] == ["edit", "replay"]

    def test_a_conflict_is_said(self, tmp_path: Path) -> None:
        config, (number,) = letters(tmp_path, {"raw": b"{}"})
        with console(config.database) as client:
            assert save(client, number, b"{}", '{"a": 1}').status_code == 303
            answer = save(client, number, b"{}", '{"b": 1}')
        assert answer.status_code == 400
        assert "somebody has changed the record meanwhile" in answer.text
        assert stored(config, "raw") == [b'{"a": 1}']

    def test_hidden_fields_are_revealed_with_a_reason_only(self, tmp_path: Path) -> None:
        raw = b'{"id": "x", "ssn": "123-45-6789"}'
        config, (number,) = letters(tmp_path, {"raw": raw})
        where = Database("sqlite", config.database.url)
        where.run('UPDATE ingest_pipelines SET hidden = \'{"paths": [["ssn"]], "versions": []}\'')
        with console(config.database) as client:
            page = client.get(f"/dead-letters/{number}/edit").text
            assert "123-45" not in page
            assert "<textarea" not in page
            form = {"csrf": csrf(client), "reason": ""}
            address = f"/dead-letters/{number}/reveal"
            assert client.post(address, data=form).status_code == 400
            page = client.post(address, data={**form, "reason": "to repair it"}).text
            assert textarea(page) == raw.decode()
            assert trail(config) == [("reveal", 1)]
            masked = '{"id": 1, "ssn": "***"}'
            assert save(client, number, raw, masked, revealed="1").status_code == 400
            good = '{"id": 1, "ssn": "123-45-6789"}'
            assert save(client, number, raw, good).status_code == 400
            assert save(client, number, raw, good, revealed="1").status_code == 303
        assert stored(config, "raw") == [good.encode()]

    @pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 303)])
    def test_only_operators_edit(self, tmp_path: Path, role: str, status: int) -> None:
        config, (number,) = letters(tmp_path, {})
        with console(config.database, token_file=token_file(tmp_path)) as client:
            form = {
                "csrf": csrf(client, headers=bearer(role)),
                "reason": "x",
                "record": "{ }",
                "digest": sha256(b"{}").hexdigest(),
                "step": "save",
            }
            address = f"/dead-letters/{number}/edit"
            assert client.post(address, data=form, headers=bearer(role)).status_code == status
            if status == 403:
                answer = client.post(
                    f"/dead-letters/{number}/reveal", data=form, headers=bearer(role)
                )
                assert answer.status_code == 403

    def test_a_read_only_console_edits_nothing(self, tmp_path: Path) -> None:
        config, (number,) = letters(tmp_path, {"raw": b"{}"})
        with console(config.database, read_only=True) as client:
            assert save(client, number, b"{}", "[]").status_code == 403
            assert ">Edit<" not in client.get(f"/dead-letters/{number}").text
