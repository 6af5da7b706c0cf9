"""The Python environment of a peer, made when it is first needed and kept outside the repository.

It is kept in ``$XDG_CACHE_HOME/sluice/peers``; other versions or another Python get another one.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.process import Failed
from runners.build_cache import cache_folder, made_once

FOLDER = Path(__file__).with_name("requirements")
INSTALL_SECONDS = 1_200.0


def environment_of(requirements: str) -> Path:
    """The folder of the environment with the versions of ``requirements``; it is made if missing.

    Args:
        requirements: The name of a file in ``requirements/``, without its extension.

    Raises:
        Failed: It cannot be made; the message has what pip said.
    """
    pinned = FOLDER / f"{requirements}.txt"
    content = sys.version.encode() + pinned.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    folder = cache_folder() / "peers" / f"{requirements}-{digest}"
    return made_once(folder, lambda scratch: _make(scratch / "environment", pinned))


def python_of(environment: Path) -> str:
    """Its interpreter."""
    return str(environment / "bin" / "python")


def version_of(requirements: str, package: str) -> str:
    """The version of ``package`` that is pinned.

    Raises:
        KeyError: The file does not name it.
    """
    for line in (FOLDER / f"{requirements}.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if name.lower() == package.lower():
            return version
    raise KeyError(f"{package} is not pinned in {requirements}.txt")


def _make(folder: Path, pinned: Path) -> Path:
    print(f"Installing {pinned.stem} into {folder.parent.parent} (once)", file=sys.stderr)
    # Compiled now: the first run of a peer would pay for that otherwise.
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--compile"]
    _run([sys.executable, "-m", "venv", str(folder)])
    _run([python_of(folder), *install, "--requirement", str(pinned)])
    return folder


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"not installed within {INSTALL_SECONDS:.0f} s") from error
    if done.returncode:
        raise Failed(f"not installed: {(done.stderr or done.stdout).strip()[-2_000:]}")
