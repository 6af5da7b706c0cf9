"""What the tests need to run with the newest Beam, as requirements for pip.

    python -m tests.newest_beam

Beam has no version and is free to bring what it needs. Every other package that pyproject.toml names
has the version of requirements-test.lock.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEAM = "apache-beam"


def requirements(dependencies: Iterable[str], locked: Iterable[str]) -> list[str]:
    """One line for each of ``dependencies``: pinned as in ``locked``, but Beam's without a version."""
    pins = {
        name_of(line): line.partition("==")[2].rstrip(" \\\n") for line in locked if "==" in line
    }
    lines = []
    for dependency in dependencies:
        name = re.split(r"[<>=!~; ]", dependency)[0]  # with its extras
        pinned = name_of(dependency) in pins and name_of(dependency) != BEAM
        lines.append(f"{name}=={pins[name_of(dependency)]}" if pinned else name)
    return lines


def name_of(requirement: str) -> str:
    """The name of a package as package registries compare it (PEP 503), without its extras."""
    name = re.split(r"[\[<>=!~; ]", requirement)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Print those of this project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dependencies = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    locked = (ROOT / "requirements-test.lock").read_text().splitlines()
    sys.stdout.write("\n".join(requirements(dependencies, locked)) + "\n")


if __name__ == "__main__":
    main()
