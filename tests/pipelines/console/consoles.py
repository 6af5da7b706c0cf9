"""Consoles for tests: an application without a server, and a browser's cookies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from pipelines.console.application import Console
from pipelines.console.config import ConsoleConfig
from pipelines.console.view import Page
from sinks.database.database import Database

ADDRESS = "http://127.0.0.1:8400"
TOKENS = {
    "viewer": "v" * 32,
    "operator": "o" * 32,
    "admin": "a" * 32,
}
"""Tokens of a user of each role, who is called as the role is."""


@contextmanager
def console(
    database: Database, screens: tuple[Page, ...] | None = None, **options: Any
) -> Iterator[TestClient]:
    """A client of a console that looks at ``database``; it does not follow redirects."""
    config = ConsoleConfig(database, **options)
    application = Console(config) if screens is None else Console(config, screens)
    try:
        with TestClient(
            application, base_url=ADDRESS, follow_redirects=False, raise_server_exceptions=True
        ) as client:
            yield client
    finally:
        application.close()


def token_file(folder: Path) -> Path:
    """A file of ``TOKENS``."""
    path = folder / "tokens"
    path.write_text("".join(f"{role}:{role}:{token}\n" for role, token in TOKENS.items()))
    path.chmod(0o600)
    return path


def bearer(role: str) -> dict[str, str]:
    """The header of a user with this role."""
    return {"Authorization": f"Bearer {TOKENS[role]}"}


def csrf(client: TestClient, path: str = "/about", **options: Any) -> str:
    """The token of the forms of a page."""
    match = re.search(r'name="csrf" value="([^"]+)"', client.get(path, **options).text)
    assert match is not None
    return unescape(match[1])
