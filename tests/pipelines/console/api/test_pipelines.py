"""The API says of pipelines what their pages say."""

from __future__ import annotations

from pathlib import Path

from tests.io.sinks.jobs.stored_jobs import DEAD, store
from tests.pipelines.console.consoles import console
from tests.pipelines.console.pages.stored_letters import letters


def test_the_overview_and_a_table_have_the_same_counts(tmp_path: Path) -> None:
    config, _ = letters(tmp_path, {}, {})
    with console(config.database) as client:
        (pipeline,) = client.get("/api/overview").json()["pipelines"]
        table = client.get("/api/targets/events").json()
        assert client.get("/api/targets/nothing").status_code == 404
    (sums,) = pipeline["tables"]
    assert sums["counts"] == table["counts"]
    assert table["counts"]["dead"] == table["dead"] == 2


def test_partitions_are_paged_and_filtered(tmp_path: Path) -> None:
    config, _ = letters(tmp_path, {})
    for number in range(4):
        store(config, DEAD, partition=str(number))
    listed: list[str] = []
    with console(config.database) as client:
        place = None
        for _ in range(5):
            after: dict[str, str] = {}
            if place is not None:
                names = ("after_pipeline", "after_source", "after_partition")
                after = dict(zip(names, place, strict=True))
            page = client.get("/api/partitions", params={"limit": 2, **after}).json()
            listed += [row["partition"] for row in page["rows"]]
            place = page["after"]
            if place is None:
                break
        assert sorted(listed) == ["0", "1", "2", "3", "p"]
        assert client.get("/api/partitions?gaps=true").json()["rows"] == []
        assert client.get("/api/partitions?target=nothing").status_code == 404
        assert client.get("/api/partitions?limit=0").status_code == 400
