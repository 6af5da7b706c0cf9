"""What an operator asks is written where the database has tables of this version, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.commands import printed
from tests.pipelines.control.asked import steer


def test_a_database_without_tables_is_refused_and_not_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert steer("pause", f"sqlite:///{tmp_path}/none.db") == 2
    assert len(printed(capsys.readouterr().err)) == 1
    assert not (tmp_path / "none.db").exists()


def test_a_place_for_objects_is_refused_by_naming_its_state(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert steer("pause", "s3://lake/events") == 2
    assert "--state" in capsys.readouterr().err
