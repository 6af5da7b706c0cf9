"""The list of dead letters and one of them: whatever a record holds, it is shown and never obeyed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.console.consoles import bearer, console, token_file
from tests.pipelines.console.pages.stored_letters import HOSTILE, letters

PLACES = ("target", "source", "partition", "stage", "category", "exception", "message", "stack")


def hostile(text: str) -> dict[str, Any]:
    """A job with ``text`` wherever text goes."""
    at = "2026-03-01T12:00:00+00:00"
    return {
        **dict.fromkeys(PLACES, text),
        "sqlstate": text[:5],
        "raw": text.encode() + b"\xff\x00",
        "key": text.encode(),
        "headers": json.dumps([[text, "PHNjcmlwdD4="]]),
        "errors": [{"attempt": 1, "replay": 0, "at": at, "error": text}],
        # A pipeline with another name cannot be started.
        "pipeline": text if text.isprintable() else None,
        "steps": json.dumps([text]) if text.isprintable() else None,
    }


def check_harmless(page: str) -> None:
    for part in ("<script>alert", "<img src=x", "<svg onload", "</textarea></pre>"):
        assert part not in page
    for invisible in "\u202e\u2066\u200b\x1b":
        assert invisible not in page


class TestList:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_records_are_harmless(self, tmp_path: Path, text: str) -> None:
        config, (number,) = letters(tmp_path, hostile(text))
        with console(config.database) as client:
            addresses = [
                "/dead-letters",
                f"/dead-letters/{number}",
                f"/dead-letters/{number}?as=text",
                f"/dead-letters/{number}?as=hex",
                f"/dead-letters/{number}/edit",
                f"/dead-letters/confirm?action=replay&selected={number}",
                "/dead-letters/confirm?action=purge&every=1",
            ]
            for address in addresses:
                answer = client.get(address)
                assert answer.status_code == 200, (address, answer.text)
                check_harmless(answer.text)
            search = client.get("/dead-letters", params={"stage": text})
            check_harmless(search.text)
            assert f'href="/dead-letters/{number}"' in search.text

    def test_filters_are_chips_that_can_be_removed(self, tmp_path: Path) -> None:
        config, (one, other) = letters(tmp_path, {"stage": "parse"}, {})
        with console(config.database) as client:
            page = client.get("/dead-letters?stage=parse&target=events").text
        assert f'href="/dead-letters/{one}"' in page
        assert f'href="/dead-letters/{other}"' not in page
        assert 'href="/dead-letters?target=events" aria-label="Remove the filter stage"' in page

    def test_pages_lead_on_and_back(self, tmp_path: Path) -> None:
        config, numbers = letters(tmp_path, *({} for _ in range(60)))
        with console(config.database) as client:
            first = client.get("/dead-letters?target=events").text
            older = f"/dead-letters?target=events&amp;before={numbers[10]}"
            assert f'rel="next" href="{older}"' in first
            second = client.get(older.replace("&amp;", "&")).text
        assert f'href="/dead-letters/{numbers[9]}"' in second
        assert f"after={numbers[9]}" in second
        assert 'rel="next"' not in second

    @pytest.mark.parametrize(
        "query",
        [
            "state=nope",
            "since=nope",
            "since=1h&until=2h",
            "fingerprint=x",
            "id=1,x",
            "before=-1",
            "after=99999999999999999999",
            "text=%00",
            "stage=" + "x" * 20_000,
        ],
    )
    def test_what_cannot_be_read_is_one_line(self, tmp_path: Path, query: str) -> None:
        config, _ = letters(tmp_path)
        with console(config.database) as client:
            assert client.get(f"/dead-letters?{query}").status_code == 400

    def test_without_tables_there_is_nothing(self, tmp_path: Path) -> None:
        from sinks.database.database import Database

        with console(Database(f"sqlite:///{tmp_path}/none.db")) as client:
            assert "No record matches" in client.get("/dead-letters").text
            assert client.get("/dead-letters/1").status_code == 404


class TestOne:
    def test_fields_that_violate_the_schema_are_marked(self, tmp_path: Path) -> None:
        kind = {
            "stage": "validate",
            "category": "schema",
            "message": '/id: "x" is not of type "integer"',
            "raw": b'{"id": "x", "n": 1.10}',
        }
        config, (number,) = letters(tmp_path, kind)
        with console(config.database) as client:
            page = client.get(f"/dead-letters/{number}").text
        assert '<mark class="string">&#34;x&#34;</mark>' in page
        assert '<span class="number">1.10</span>' in page

    def test_views_of_the_bytes_are_links(self, tmp_path: Path) -> None:
        config, (number,) = letters(tmp_path, {"raw": b"\xff{"})
        with console(config.database) as client:
            assert "Not shown as JSON" in client.get(f"/dead-letters/{number}").text
            text = client.get(f"/dead-letters/{number}?as=text").text
            assert "\\xff{" in text
            assert f'href="/dead-letters/{number}?as=hex"' in text
            assert "00000000  ff 7b" in client.get(f"/dead-letters/{number}?as=hex").text

    def test_payloads_are_hidden_from_viewers(self, tmp_path: Path) -> None:
        secret = "s3cr3t-value"
        kind = hostile(secret) | {"target": "events", "stage": "parse", "source": "file:///a"}
        kind |= {"partition": "p", "category": "c", "exception": "E", "sqlstate": None}
        kind |= {"pipeline": None, "steps": None}
        config, (number,) = letters(tmp_path, kind)
        options: dict[str, Any] = {"token_file": token_file(tmp_path), "hide_payloads": True}
        with console(config.database, **options) as client:
            for address in (
                "/dead-letters",
                *(f"/dead-letters/{number}{view}" for view in ("", "?as=text", "?as=hex")),
                "/api/dead-letters",
                f"/api/dead-letters/{number}",
            ):
                answer = client.get(address, headers=bearer("viewer"))
                assert answer.status_code == 200
                assert secret not in answer.text
                assert secret.encode().hex(" ") not in answer.text
                operator = client.get(address, headers=bearer("operator"))
                assert operator.text != answer.text
            for name in ("text", "key", "header"):
                for path in ("/dead-letters", "/dead-letters/groups", "/api/dead-letters"):
                    answer = client.get(f"{path}?{name}=s3", headers=bearer("viewer"))
                    assert answer.status_code == 400
                page = client.get("/dead-letters", headers=bearer("viewer")).text
                assert f'name="{name}"' not in page
            assert (
                client.get(f"/dead-letters/{number}/edit", headers=bearer("viewer")).status_code
                == 403
            )

    def test_viewers_see_no_buttons(self, tmp_path: Path) -> None:
        config, (number,) = letters(tmp_path, {})
        with console(config.database, token_file=token_file(tmp_path)) as client:
            for role, expected in (
                ("viewer", []),
                ("operator", ["replay"]),
                ("admin", ["replay", "purge"]),
            ):
                page = client.get(f"/dead-letters/{number}", headers=bearer(role)).text
                shown = [
                    name for name in ("replay", "cancel", "purge") if f'value="{name}"' in page
                ]
                assert shown == expected
