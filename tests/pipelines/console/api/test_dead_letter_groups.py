"""Groups as JSON."""

from __future__ import annotations

from pathlib import Path

from tests.pipelines.console.consoles import console
from tests.pipelines.console.pages.stored_letters import letters


def test_groups_page_by_page(tmp_path: Path) -> None:
    config, numbers = letters(tmp_path, {"stage": "parse"}, {}, {"stage": "parse"})
    with console(config.database) as client:
        first = client.get("/api/dead-letters/groups?limit=1").json()
        (group,) = first["groups"]
        assert (group["stage"], group["count"]) == ("parse", {"number": 2, "exact": True})
        assert (group["sample"], first["searched"]) == (numbers[2], None)
        rest = client.get(f"/api/dead-letters/groups?after={first['after']}").json()
        assert [group["stage"] for group in rest["groups"]] == ["write"]
        assert rest["after"] is None
        of_group = f"fingerprint={group['fingerprint']}"
        listed = client.get(f"/api/dead-letters?{of_group}").json()
        assert [record["id"] for record in listed["records"]] == [numbers[2], numbers[0]]
        assert listed["total"] == {"number": 2, "exact": True}
        assert client.get(f"/api/dead-letters/groups?{of_group}").json()["groups"] == [group]
        assert client.get("/api/dead-letters/groups?limit=101").status_code == 400
        assert client.get("/api/dead-letters/groups?state=completed").status_code == 400
