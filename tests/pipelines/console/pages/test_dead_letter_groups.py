"""The screen of groups: what it counts, where it leads, and what viewers do not see."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from pipelines.console.pages import dead_letter_groups
from tests.io.sinks.jobs.stored_jobs import stored, trail
from tests.pipelines.console.consoles import bearer, console, csrf, token_file
from tests.pipelines.console.pages.stored_letters import HOSTILE, letters

PARSE = {"stage": "parse", "message": "no JSON", "raw": b"{"}


def links(page: str, text: str) -> list[str]:
    """The addresses of links with a text."""
    return [unescape(at) for at in re.findall(rf'<a [^>]*href="([^"]+)"[^>]*>{text}</a>', page)]


class TestGroups:
    def test_a_group_leads_to_its_records_and_actions(self, tmp_path: Path) -> None:
        config, numbers = letters(tmp_path, PARSE, {}, PARSE, {"state": "retryable"})
        with console(config.database) as client:
            page = client.get("/dead-letters/groups").text
            assert "no JSON" in page
            parse, other = links(page, r"\d+")
            assert (links(page, "2"), links(page, "1")) == ([parse], [other])
            listed = client.get(parse).text
            assert f'href="/dead-letters/{numbers[0]}"' in listed
            assert f'href="/dead-letters/{numbers[2]}"' in listed
            assert f'href="/dead-letters/{numbers[1]}"' not in listed
            assert links(page, f"record {numbers[2]}") == [f"/dead-letters/{numbers[2]}"]
            replay, _ = links(page, "Replay")
            confirm = client.get(replay).text
            assert "<strong>2</strong> records would be changed" in confirm
            fields = dict(parse_qsl(urlsplit(replay).query))
            assert fields.keys() == {"action", "every", "fingerprint"}
            form = {**fields, "csrf": csrf(client), "reason": "it is repaired"}
            assert client.post("/dead-letters/replay", data=form).status_code == 303
            assert links(client.get("/dead-letters/groups").text, r"\d+") == [other]
            purge = links(client.get("/dead-letters/groups").text, "Purge")
            assert "<strong>1</strong> records would be changed" in client.get(purge[0]).text
        assert stored(config, "state") == ["available", "discarded", "available", "retryable"]
        assert trail(config) == [("replay", 2)]

    def test_filters_stand_in_every_link(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, PARSE, {}, PARSE | {"source": "file:///other"})
        with console(config.database) as client:
            page = client.get("/dead-letters/groups?stage=parse&source=file:///o*").text
            assert links(page, r"\d+") == links(page, "1")
            assert "&stage=parse" in links(page, "1")[0] or "?stage=parse" in links(page, "1")[0]
            for name in ("1", "Replay", "Purge"):
                assert "source=file%3A%2F%2F%2Fo%2A" in links(page, name)[0]
            assert client.get("/dead-letters/groups?stage=none").text.count("No dead letter") == 1
            assert client.get("/dead-letters/groups?fingerprint=x").status_code == 400
            assert client.get("/dead-letters/groups?state=retryable").status_code == 400

    def test_pages_follow_each_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dead_letter_groups, "SHOWN", 2)
        config, _ = letters(tmp_path, *({"exception": f"E{n}"} for n in range(5)))
        seen: list[str] = []
        with console(config.database) as client:
            address = "/dead-letters/groups?stage=write"
            while address:
                page = client.get(address).text
                seen += re.findall(r"<strong>(E\d)</strong>", page)
                address = next(iter(links(page, "Older")), "")
        assert seen == ["E4", "E3", "E2", "E1", "E0"]

    def test_names_and_messages_are_text(self, tmp_path: Path) -> None:
        kinds = [{"message": text, "exception": text, "target": text} for text in HOSTILE]
        config, _ = letters(tmp_path, *kinds)
        with console(config.database) as client:
            page = client.get("/dead-letters/groups").text
        for text in ("<script>alert", "<img src=x", "<svg", "\u202e", "\x1b"):
            assert text not in page
        assert "\\u202egnp.exe" in page

    def test_messages_are_hidden_from_viewers(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, {"message": "s3cr3t"})
        options: dict[str, Any] = {"token_file": token_file(tmp_path), "hide_payloads": True}
        with console(config.database, **options) as client:
            for address in ("/dead-letters/groups", "/api/dead-letters/groups"):
                viewer = client.get(address, headers=bearer("viewer")).text
                assert "s3cr3t" not in viewer
                assert "hidden from you" in viewer
                assert "s3cr3t" in client.get(address, headers=bearer("operator")).text
                asked = client.get(address + "?text=s3", headers=bearer("viewer"))
                assert asked.status_code == 400

    def test_actions_are_offered_to_those_who_may(self, tmp_path: Path) -> None:
        config, _ = letters(tmp_path, {})
        with console(config.database, token_file=token_file(tmp_path)) as client:
            for role, expected in (
                ("viewer", []),
                ("operator", ["Replay"]),
                ("admin", ["Replay", "Purge"]),
            ):
                page = client.get("/dead-letters/groups", headers=bearer(role)).text
                assert [name for name in ("Replay", "Purge") if links(page, name)] == expected
