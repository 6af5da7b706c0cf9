"""Where the file of a database lies: whether it can be read, and made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from transforms.errors import ConfigError


def check(path: Path, kind: str, beside: Sequence[str] = ()) -> None:
    """Refuse a file that cannot be opened, whoever waits for it.

    Args:
        path: The file.
        kind: The name of the database, for messages.
        beside: The ends of the names of those files that it takes beside it even to be read.

    Raises:
        ConfigError: It is a folder, it may not be read, or its folder is missing or may not be
            written.
    """
    there = path.exists()
    if there and (path.is_dir() or not os.access(path, os.R_OK)):
        why = "is a folder" if path.is_dir() else "may not be read"
        raise ConfigError(f"{path} {why}; name a file for the {kind} database")
    if not path.parent.is_dir():
        raise ConfigError(f"folder {path.parent} of the {kind} database does not exist; create it")
    folder = path.resolve().parent  # of what a link leads to
    if os.access(folder, os.W_OK | os.X_OK):
        return
    if not there:
        raise ConfigError(
            f"folder {folder} may not be written, so the {kind} database {path.name} cannot be made in "
            "it; name another folder, or give this user the right to write"
        )
    if not all(Path(f"{path.resolve()}{end}").exists() for end in beside):
        raise ConfigError(
            f"folder {folder} may not be written, which {kind} needs even to read {path.name}; give "
            "this user the right, or copy the database to another folder"
        )
