"""A database in a file that cannot be opened is refused, since waiting would not help."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sinks.database.backends import place
from sinks.database.database import Database
from sinks.database.engine import transaction
from transforms.errors import ConfigError

BESIDE = ("-wal", "-shm")


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which this user may make no file; root, who runs tests, always may."""
    access = os.access

    def as_user(path: str | Path, mode: int) -> bool:
        return access(path, mode) and not (Path(path) == tmp_path and mode & os.W_OK)

    monkeypatch.setattr(os, "access", as_user)
    return tmp_path


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_a_file_that_cannot_be_made_is_refused_at_once(locked: Path, scheme: str) -> None:
    with (
        pytest.raises(
            ConfigError, match=rf"^folder {locked} may not be written, so the .* new\.db"
        ),
        transaction(Database(f"{scheme}:///{locked}/new.db"), "test"),
    ):
        pass
    assert list(locked.iterdir()) == []


def test_a_name_without_a_folder_is_in_the_folder_of_the_process(
    locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(locked)
    with pytest.raises(ConfigError, match=f"^folder {locked} may not be written"):
        place.check(Path("new.db"), "SQLite")


def test_one_that_is_there_needs_the_folder_if_it_takes_files_beside(locked: Path) -> None:
    path = locked / "a.db"
    path.touch()
    place.check(path, "DuckDB")
    with pytest.raises(ConfigError, match=r"which SQLite needs even to read a\.db; give"):
        place.check(path, "SQLite", BESIDE)
    for end in BESIDE:  # another process has it open
        Path(f"{path}{end}").touch()
    place.check(path, "SQLite", BESIDE)


def test_a_link_is_where_it_leads_to(
    locked: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (locked / "a.db").touch()
    link = tmp_path_factory.mktemp("elsewhere") / "link.db"
    link.symlink_to(locked / "a.db")
    with pytest.raises(ConfigError, match=f"^folder {locked} may not be written"):
        place.check(link, "SQLite", BESIDE)


def test_a_file_in_a_folder_that_may_be_written_is_taken(tmp_path: Path) -> None:
    place.check(tmp_path / "new.db", "SQLite", BESIDE)
    (tmp_path / "a.db").touch()
    place.check(tmp_path / "a.db", "SQLite", BESIDE)
