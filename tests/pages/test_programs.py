"""The pages whose commands need no more than a folder: completion, the console, mappings and steps."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import bcrypt
import pytest

from pipelines.conformance import suite
from tests.code_blocks import fenced
from tests.io.clients.registry.servers import serving
from tests.pages.page import page
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow


@pytest.fixture
def tables_are_there() -> bool:
    return True


def test_completion(tmp_path: Path) -> None:
    scripts = (
        ".local/share/bash-completion/completions/sluice",
        ".zfunc/_sluice",
        ".config/fish/completions/sluice.fish",
    )
    for name in scripts:
        (tmp_path / name).parent.mkdir(parents=True)
    with page("docs/commands.md", tmp_path) as opened:
        opened.shell.patch.setenv("HOME", str(tmp_path))
        for shell in ("bash", "zsh", "fish"):
            opened.runs(f"sluice completion {shell}")
    subprocess.run(["bash", "-n", tmp_path / scripts[0]], check=True)
    assert (tmp_path / scripts[1]).read_text().startswith("#compdef sluice")
    assert "complete -c sluice" in (tmp_path / scripts[2]).read_text()


def test_the_console(tmp_path: Path, postgres_url: str) -> None:
    password = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "users.txt").write_text(f"ann:operator:{password}\n")
    (tmp_path / "users.txt").chmod(0o600)
    statuses: list[int] = []

    def answers(lines: Sequence[str]) -> bool:
        """Whether the console has printed its address, and answers there."""
        address = re.search(r"http://\S+:\d+/", "\n".join(lines))
        if address is None:
            return False
        for headers in ({}, {"Authorization": f"Basic {b64encode(b'ann:secret').decode()}"}):
            asked = urllib.request.Request(address[0], headers=headers)
            try:
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    statuses.append(answer.status)
            except urllib.error.HTTPError as refused:
                statuses.append(refused.code)
                refused.close()
        return True

    with_password = postgres_url.replace(":@", ":${env:PGPASSWORD}@")
    with page(
        "docs/console.md", tmp_path, postgres=postgres_url, with_password=with_password
    ) as opened:
        opened.shell.patch.setenv("PGPASSWORD", "secret")
        opened.runs("sluice console", until=answers)
        opened.runs("sluice console", until=answers)
    assert statuses == [200, 200, 401, 200], "the second one asks who it is"


def test_a_mapping(tmp_path: Path) -> None:
    """With that of README."""
    (mapping,) = [text for text in fenced("README.md", "yaml") if "- hash" in text]
    (tmp_path / "map.yaml").write_text(mapping)
    (tmp_path / "customers.csv").write_text(
        "Customer ID,signup,email\n7,31/12/2025,a@example.org\n"
    )
    with page("docs/mapping.md", tmp_path) as opened:
        opened.runs("sluice ingest")
    ((payload,),) = query(f"sqlite:///{tmp_path}/crm.db", "SELECT payload FROM customers")
    row = json.loads(payload)
    assert (row["id"], row["signup"], len(row["email"])) == ("7", "2025-12-31", 64)


def test_a_step(tmp_path: Path) -> None:
    """It asks a service for the price of what is ordered."""
    (program,) = fenced("docs/steps.md", "python")[:1]
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "a.jsonl").write_text('{"order_id": 1, "sku": "tea"}\n')
    with serving(lambda _: (200, {"price": 5})) as service:
        assert "http://prices.example/" in program
        here = program.replace("http://prices.example/", f"{service.url}/")
        (tmp_path / "fn.py").write_text(here)
        with page("docs/steps.md", tmp_path) as opened:
            opened.runs("sluice ingest")
    assert service.paths == ["/tea"]
    ((payload,),) = query(f"sqlite:///{tmp_path}/orders.db", "SELECT payload FROM orders")
    assert json.loads(payload)["price"] == 5


def test_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two checks: all of them take seconds, and run in ``tests/pipelines/conformance``."""
    monkeypatch.setattr(suite.results, "__defaults__", (suite.CHECKS[:2],))
    with page("docs/targets.md", tmp_path, database=f"sqlite:///{tmp_path}/a.db") as opened:
        lines = opened.runs("sluice doctor --conformance")
        assert [line.partition(":")[0] for line in lines[:2]] == ["passed", "passed"]
        checks = json.loads("".join(opened.runs("sluice doctor --conformance")))
    assert len(checks) == 2
