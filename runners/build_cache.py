"""What is built or downloaded once for each user and kept outside the repository."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from runners.file_lock import locked


def cache_folder() -> Path:
    """The folder of everything that is kept for this user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sluice"


def jars_folder() -> Path:
    """The folder of jars and of the programs that go with them: ``$SLUICE_JARS``, or the cache."""
    folder = os.environ.get("SLUICE_JARS")
    return Path(folder).absolute() if folder else cache_folder() / "jars"


def made_once(path: Path, make: Callable[[Path], Path]) -> Path:
    """Return ``path``, a file or a folder, and make it first if it does not exist.

    Several processes may ask at once: one makes it, the others wait. It appears whole or not at
    all.

    Args:
        path: Where it is kept.
        make: Takes an empty scratch folder on the same file system; returns what it made there,
            which is moved to ``path``. What it raises reaches the caller.

    Raises:
        OSError: The folder of ``path`` cannot be written.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent / f".{path.name}.lock"):
        if not path.exists():
            scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
            try:
                make(scratch).rename(path)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return path
