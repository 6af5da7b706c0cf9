"""Where the Prism binary is: named, on the path, or built once with Go.

Beam's own way is to download it from GitHub at the first run; one that cannot reach
GitHub then fails in its middle.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apache_beam.version import __version__ as BEAM_VERSION

from runners import RunnerUnavailable

_log = logging.getLogger(__name__)

VERSION = f"v{BEAM_VERSION}"
"""The version to build: the SDK's own, as Beam's download would be."""

PACKAGE = "github.com/apache/beam/sdks/v2/go/cmd/prism"

_INSTALL_SECONDS = 900.0
_SAID = 300
"""Characters of Go's last line that an error repeats."""


def located(named: str | None) -> str:
    """The binary to start.

    Args:
        named: Beam's ``--prism_location``, if given: a path, or what Beam unpacks or
            downloads (a zip file, a URL).

    Raises:
        RunnerUnavailable: It is not where it is said to be, or there is none and none can
            be built.
    """
    if named is not None:
        return _checked(named)
    on_path = shutil.which("prism")
    if on_path is not None:
        if _is_prism(Path(on_path)):
            return on_path
        _log.warning("%s is another program than Beam's Prism and is not used", on_path)
    return str(_built())


def cached() -> Path:
    """Where the binary that Go builds is kept, for this user and this version of Beam."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sluice" / "prism" / VERSION / "prism"


def available() -> str | None:
    """Why there is no Prism and none can be built here, in a few words; None when there is.

    Nothing is built by asking.
    """
    on_path = shutil.which("prism")
    if cached().is_file() or (on_path is not None and _is_prism(Path(on_path))):
        return None
    return None if shutil.which("go") else "neither prism nor go found (Go builds Prism)"


def _checked(named: str) -> str:
    if "://" in named or named.endswith(".zip"):
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.portability.prism_runner import PrismJobServer

        options = PipelineOptions([f"--prism_location={named}"])
        try:
            return str(PrismJobServer(options)._get_executable_path())
        except (OSError, RuntimeError, ValueError) as error:
            raise RunnerUnavailable(
                f"--prism_location {named}: cannot be fetched ({error})"
            ) from error
    path = Path(named)
    if not path.is_file() or not os.access(path, os.X_OK):
        raise RunnerUnavailable(
            f"--prism_location {named}: no such program; leave it out to have Prism built by Go"
        )
    return str(path.absolute())


def _is_prism(path: Path) -> bool:
    """Whether it is Beam's: other programs have that name, and Go writes the package into it."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return text.find(PACKAGE.encode()) >= 0
    except (OSError, ValueError):  # unreadable, or empty
        return False


def _built() -> Path:
    """The cached binary, built now if it is not there.

    Several processes may call it at once: one builds, the others wait for it. The file
    appears whole or not at all.
    """
    binary = cached()
    if binary.is_file():
        return binary
    try:
        binary.parent.mkdir(parents=True, exist_ok=True)
        with _locked(binary.parent / ".lock"):
            if not binary.is_file():
                _build(binary)
    except OSError as error:
        raise RunnerUnavailable(
            f"Prism cannot be built into {binary.parent}: {error.strerror or error}; "
            "give a binary with --prism_location"
        ) from error
    return binary


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Waiting has no deadline of its own: the holder's build has one, and a dead holder holds
    # nothing.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(binary: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise RunnerUnavailable(
            f"PrismRunner needs Prism {VERSION}: put `prism` on the path, name it with "
            "--prism_location, or install Go (https://go.dev/dl), which builds it"
        )
    _log.warning("building Prism %s with Go, once: some minutes", VERSION)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=binary.parent) as scratch:
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and nothing of it is the user's
                [go, "install", f"{PACKAGE}@{VERSION}"],
                cwd=scratch,
                env={**os.environ, "GOBIN": scratch},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RunnerUnavailable(
                f"`go install {PACKAGE}@{VERSION}` took more than {_INSTALL_SECONDS:.0f} s; "
                "run it by hand, or give a binary with --prism_location"
            ) from error
        if done.returncode:
            said = (done.stdout.strip().splitlines() or ["it said nothing"])[-1][:_SAID]
            raise RunnerUnavailable(
                f"`go install {PACKAGE}@{VERSION}` failed with {done.returncode}: {said}; "
                "give a binary with --prism_location"
            )
        (Path(scratch) / "prism").rename(binary)
