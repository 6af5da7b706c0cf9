"""Files of the pages."""

from __future__ import annotations

import re

from starlette.testclient import TestClient

from pipelines.console.static_files import FOLDER, static


def test_a_file_is_kept_under_an_address_with_its_digest(client: TestClient) -> None:
    answer = client.get(static("console.css"))
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content == (FOLDER / "console.css").read_bytes()


def test_under_another_address_it_is_asked_for_again(client: TestClient) -> None:
    for path in ("/static/console.js", "/static/console.js?v=0"):
        assert client.get(path).headers["cache-control"] == "no-cache"


def test_nothing_else_is_served(client: TestClient) -> None:
    for name in ("nothing.js", "..%2fcommand.py", "%2e%2e/command.py", "", "."):
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 404


def test_every_file_that_a_page_names_is_there(client: TestClient) -> None:
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/about").text)
    assert len(addresses) == 5
    for address in addresses:
        assert "immutable" in client.get(address).headers["cache-control"]


def test_what_others_wrote_has_its_licence_and_version() -> None:
    notes = (FOLDER / "THIRD-PARTY.md").read_text()
    others = {path.name for path in FOLDER.iterdir()} - {
        *("console.css", "console.js", "THIRD-PARTY.md"),
    }
    assert {name for name in others if name not in notes} == set()


def _brightness(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_is_readable_in_both_themes() -> None:
    blocks = re.findall(r"\{([^{}]*--ground: #[^{}]*)\}", (FOLDER / "console.css").read_text())
    assert len(blocks) == 3
    for block in blocks:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        pairs = [
            (text, ground)
            for text in ("text", "dim", "accent", "good", "bad", "warn")
            for ground in ("ground", "raised")
        ]
        for text, ground in [*pairs, ("on-accent", "accent"), ("text", "mark")]:
            light, dark = sorted(map(_brightness, (colours[text], colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
