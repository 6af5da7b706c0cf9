"""Dead letters in a database of a console, some of them hostile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinks.table.config import SqlConfig
from tests.io.sinks.console.dead_letters import store_dead
from tests.io.sinks.jobs.stored_jobs import prepared
from tests.io.sinks.tested_database import Database

HOSTILE = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)//</textarea></pre><svg onload=alert(1)>",
    "\u202egnp.exe\u2066\u200b\x1b[2J",
)


def letters(folder: Path, *kinds: Mapping[str, Any]) -> tuple[SqlConfig, list[int]]:
    """A database in SQLite with a dead letter of each kind."""
    where = Database("sqlite", f"sqlite:///{folder}/letters.db")
    config = prepared(where)
    return config, store_dead(config, *kinds)
