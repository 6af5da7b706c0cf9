"""Pipelines are steered by the API, by those who may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import bearer, console, token_file

BODY = {"pipeline": "events", "reason": "why"}


@pytest.mark.parametrize(
    ("action", "more", "least"),
    [
        ("pause", {}, "operator"),
        ("drain", {}, "operator"),
        ("resume", {}, "operator"),
        ("rate", {"max_rate": 5}, "admin"),
    ],
)
def test_roles(tmp_path: Path, action: str, more: dict[str, Any], least: str) -> None:
    database = Database("sqlite", f"sqlite:///{tmp_path}/control.db")
    begun(database)
    roles = ("viewer", "operator", "admin")
    options: dict[str, Any] = {"token_file": token_file(tmp_path)}
    with console(database.database, **options) as client:
        for role in roles:
            may = roles.index(role) >= roles.index(least)
            answer = client.post(f"/api/control/{action}", json=BODY | more, headers=bearer(role))
            assert answer.status_code == (200 if may else 403)
            if may:
                (row,) = answer.json()["requests"]
                assert (row["pipeline"], row["source"], row["actor"]) == ("events", "", role)
    with console(database.database, **options, read_only=True) as client:
        answer = client.post(f"/api/control/{action}", json=BODY | more, headers=bearer("admin"))
        assert answer.status_code == 403
    with console(database.database) as client:  # without a token of a page
        assert client.post(f"/api/control/{action}", json=BODY | more).status_code == 403


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("pause", {"pipeline": "events"}),
        ("pause", {"pipeline": "events", "reason": ""}),
        ("pause", {"pipeline": "nope", "reason": "why"}),
        ("pause", BODY | {"source": "kafka://nope"}),
        ("pause", BODY | {"source": "\0"}),
        ("rate", BODY),
        ("rate", BODY | {"max_rate": 0}),
        ("rate", BODY | {"max_rate": 1e300}),
        ("rate", BODY | {"max_rate": 1, "none": True}),
    ],
)
def test_what_cannot_be_asked_changes_nothing(
    tmp_path: Path, action: str, body: dict[str, Any]
) -> None:
    database = Database("sqlite", f"sqlite:///{tmp_path}/control.db")
    begun(database)
    with console(database.database, token_file=token_file(tmp_path)) as client:
        answer = client.post(f"/api/control/{action}", json=body, headers=bearer("admin"))
        assert answer.status_code == 400
        listed = client.get("/api/control", headers=bearer("viewer")).json()
        assert listed["pipelines"] == [{"name": "events", "target": "events", "requests": []}]
        assert client.get("/api/audit", headers=bearer("viewer")).json()["entries"] == []
