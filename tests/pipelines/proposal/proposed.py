"""Proposals that tests ask for, and the runs that carry them out."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from pipelines.pipeline_file.run import main as run_file
from pipelines.pipeline_file.validate import main as validate
from pipelines.proposal.init import main as init
from transforms.mapping.reading.document import load


def propose(source: Path | str, folder: Path, *argv: str) -> Path:
    """The file that ``sluice init`` writes for ``source``, in ``folder``."""
    file = folder / "proposal.yaml"
    assert init([str(source), "--output", str(file), *argv]) == 0
    return file


def document(file: Path) -> dict[str, Any]:
    """What the file says, without its comments."""
    plain: dict[str, Any] = load(file).plain
    return plain


def properties(file: Path) -> dict[str, dict[str, Any]]:
    """The properties of its schema."""
    schema: dict[str, dict[str, Any]] = document(file)["schema"]["properties"]
    return schema


def comments(file: Path, start: str) -> list[str]:
    """The lines of the file that begin with ``start``, behind blanks."""
    return [
        line.strip() for line in file.read_text().splitlines() if line.strip().startswith(start)
    ]


def run(file: Path, folder: Path) -> dict[str, Any]:
    """Run the pipeline as it is proposed, which is right as it is; returns the summary."""
    assert validate([str(file)]) == 0
    summary = folder / "summary.json"
    assert run_file([str(file), "--summary_json", str(summary), "--progress", "none"]) == 0
    figures: dict[str, Any] = json.loads(summary.read_text())
    return figures


def rows(file: Path, folder: Path) -> list[dict[str, Any]]:
    """The rows of the table that a run has written into SQLite."""
    said = document(file)
    path = folder / said["sink"].removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        every = connection.execute(f'SELECT * FROM "{said["table"]}"').fetchall()
    connection.close()
    return [dict(row) for row in every]
