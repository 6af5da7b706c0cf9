"""Whether the packages that Python would import are those of this installation."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("pipelines", "transforms", "runners", "clients", "sources", "sinks")

_ROOT = Path(__file__).resolve().parents[1]


def hidden() -> str | None:
    """One line about the first package that another folder hides; None if none is hidden.

    A user's folder may well have a ``pipelines`` or ``transforms`` of its own. It hides ours where
    it comes first on ``sys.path``.
    """
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            where = "is missing" if spec is None else f"is hidden by {spec.origin}"
            return f"the package {name!r} of this installation {where}; install sluice again"
        folder = Path(next(iter(spec.submodule_search_locations))).resolve()
        if folder not in (_ROOT / name, _ROOT / "io" / name):  # io/ is a source root
            return (
                f"{folder} hides a package of this program that is called {name!r} too, because "
                f"{_why_first(folder.parent)}, or rename that folder"
            )
    return None


def _why_first(parent: Path) -> str:
    """Why Python looks into ``parent`` first, and what to do."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if any(Path(entry or ".").resolve() == parent for entry in entries):
        return f"{parent} is in PYTHONPATH; leave it out there"
    return f"Python looks into {parent} first; run `sluice`, or `python -P`, instead"
