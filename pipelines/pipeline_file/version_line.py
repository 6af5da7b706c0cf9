"""One line on the pipeline file of a run, for those who look at runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHORT = 12
"""How many characters of a hash tell versions of a file apart."""


def version_line(options: Mapping[str, Any]) -> str:
    """The pipeline file of a run, with its version; empty for a run of a command line.

    Args:
        options: The options of the run; ``file`` is what ``FileVersion.as_options`` says.

    >>> version_line({"file": {"path": "a.yaml", "hash": "0123456789abcdef", "env": "prod"}})
    'a.yaml, environment prod, hash 0123456789ab'
    """
    file = options.get("file")
    if not isinstance(file, Mapping):
        return ""
    commit, dirty, _ = str(file.get("commit", "")).partition("+dirty")
    parts = [
        str(file.get("path", "")),
        *([f"environment {file['env']}"] if file.get("env") else []),
        f"hash {str(file.get('hash', ''))[:_SHORT]}",
        *([f"commit {commit[:_SHORT]}{dirty}"] if commit else []),
    ]
    return ", ".join(parts)
