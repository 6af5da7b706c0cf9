"""Which version of a pipeline file runs: a hash of what it says, and the commit that it is of."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.pipeline_file.reading.layers import environment_file
from transforms.mapping.reading.document import Part

_PATIENCE = 5.0
"""Seconds after which Git is not waited for any longer."""

_DIRTY = "+dirty"


@dataclass(frozen=True, slots=True)
class FileVersion:
    """The version of a pipeline file.

    Attributes:
        path: The file, as the user names it.
        hash: SHA-256 of the file with environment and settings merged, in a form in which neither
            order, comments nor the choice of YAML or JSON count; references stay references.
        commit: The commit that is checked out, with ``+dirty`` where a file differs from it; empty
            outside of a repository.
        env: The environment; empty for none.
    """

    path: str
    hash: str
    commit: str
    env: str

    def as_options(self) -> dict[str, str]:
        """What a run notes among its options."""
        return {name: value for name, value in asdict(self).items() if value}


def version_of(path: str, environment: str | None, document: Part) -> FileVersion:
    """The version of the file at ``path``.

    Args:
        path: The file.
        environment: The environment that is laid over it.
        document: What both say together with the settings, before references are replaced.
    """
    files = [path]
    if environment is not None:
        files.append(environment_file(path, environment))
    return FileVersion(path, _hash(document.plain), commit_of(files), environment or "")


def _hash(plain: Any) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def commit_of(files: Sequence[str]) -> str:
    """The commit that is checked out where ``files`` are, and whether they differ from it.

    Nothing that a repository configures is run. Where there is no Git, no repository or no commit, the
    answer is empty.
    """
    folder = os.path.dirname(files[0]) or "."
    names = [os.path.relpath(name, folder) for name in files]
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return ""
    changed = _git(folder, "status", "--porcelain", "--ignored", "--", *names)
    return commit if changed == "" else f"{commit}{_DIRTY}"


def _git(folder: str, *words: str) -> str | None:
    """What a command of Git prints; None if it fails."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *words]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and names stand behind --
            command,
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
