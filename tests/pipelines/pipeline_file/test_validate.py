"""``sluice validate``: a line for each error, or that a file is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import command
from pipelines.pipeline_file.validate import main

GOOD = "source: a.csv\nsink: sqlite:///x.db\ntable: t\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_has_its_lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "good.yaml").write_text(GOOD)
    (folder / "bad.yaml").write_text(f"{GOOD}tabel: t\nmax_rate: 0\n")
    assert command.run("validate", main, ["bad.yaml", "good.yaml"]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "bad.yaml:4:1: there is no option tabel; is table meant?",
        "bad.yaml:5:11: max_rate must be a number per second above 0, got '0'",
        "good.yaml: valid",
    ]
    assert command.run("validate", main, ["good.yaml"]) == 0


def test_environment_and_settings_count(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "p.yaml").write_text("source: a.csv\nsink: sqlite:///x.db\n")
    (folder / "p.prod.yaml").write_text("table: t\nmax_rate: 0\n")
    assert main(["p.yaml", "--env", "prod"]) == 2
    assert capsys.readouterr().out.startswith("p.prod.yaml:2:11: max_rate")
    assert main(["p.yaml", "--env", "prod", "--set", "max_rate=5"]) == 0


def test_no_line_shows_a_secret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "p.yaml").write_text(
        f"{GOOD}dead_letters: kafka://u:canary-in-a-uri@h/t\nkafka_config: {{sasl.password: [canary-in-a-list]}}\n"
        "outage_budget: canary-in-no-place\x1b[31m\n"
    )
    assert main(["p.yaml"]) == 2
    assert "canary-in-a" not in "".join(capsys.readouterr())
