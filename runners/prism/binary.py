"""Where the Prism binary is: named, or built once with Go.

Beam's own way is to download it from GitHub at the first run; one that cannot reach
GitHub then fails in its middle.

Prism as it is published listens on all interfaces and asks nobody who they are: whoever reaches
its port can run a program as this user. The one that is built here listens on loopback. No option
of Prism's says so, and Go does not lay another file over one in its module cache (``-overlay``):
the module's sources are copied, and one line of them is changed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from apache_beam.version import __version__ as BEAM_VERSION

from runners.runner import RunnerUnavailable

_log = logging.getLogger(__name__)

VERSION = f"v{BEAM_VERSION}"
"""The version to build: the SDK's own, as Beam's download would be."""

MODULE = "github.com/apache/beam/sdks/v2"

SERVER = "go/pkg/beam/runners/prism/internal/jobservices/server.go"
"""The one file of the module in which Prism listens; its web server, which is not started, listens
on loopback by itself."""

_LISTENS = 'net.Listen("tcp", fmt.Sprintf(":%d", port))'
_LISTENS_ON_LOOPBACK = 'net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))'

_GO_SECONDS = 900.0
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
    return str(_built()) if named is None else _checked(named)


def cached() -> Path:
    """Where the binary that Go builds is kept, for this user and this version of Beam."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sluice" / "prism" / f"{VERSION}-loopback" / "prism"


def available() -> str | None:
    """Why there is no Prism and none can be built here, in a few words; None when there is.

    Nothing is built by asking.
    """
    if cached().is_file() or shutil.which("go") is not None:
        return None
    return "go not found (Go builds Prism)"


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
            f"PrismRunner needs Go (https://go.dev/dl), which builds Prism {VERSION} once, or a "
            "Prism that listens on loopback only, named with --prism_location"
        )
    _log.warning("building Prism %s with Go, once: some minutes", VERSION)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=binary.parent) as scratch:
        said = _run([go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], Path(scratch))
        sources = Path(scratch) / "sources"
        _copy(_downloaded(said), sources)
        server = sources / SERVER
        server.write_text(on_loopback(server.read_text()))
        _run([go, "build", "-buildvcs=false", "-o", "prism", "./go/cmd/prism"], sources)
        (sources / "prism").rename(binary)


def on_loopback(source: str) -> str:
    """The text of ``SERVER`` with its listener on loopback.

    Raises:
        RunnerUnavailable: It does not listen in exactly one place, in the way that is known.
    """
    if source.count("net.Listen(") != 1 or _LISTENS not in source:
        raise RunnerUnavailable(
            f"Prism {VERSION} does not listen in the one way that is known here, so it cannot be "
            f"kept on loopback ({SERVER}); give a binary that is with --prism_location"
        )
    return source.replace(_LISTENS, _LISTENS_ON_LOOPBACK)


def _downloaded(said: str) -> Path:
    """The module's folder in Go's cache."""
    try:
        return Path(json.loads(said)["Dir"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunnerUnavailable(
            f"`go mod download {MODULE}@{VERSION}` did not say where the sources are; "
            "give a binary with --prism_location"
        ) from error


def _copy(module: Path, target: Path) -> None:
    """Copy what Prism is built of; the files in Go's cache are read-only, the copies are not."""
    shutil.copytree(module / "go", target / "go", copy_function=shutil.copyfile)
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(module / name, target / name)


def _run(command: Sequence[str], folder: Path) -> str:
    """What a command of Go's prints on its standard output."""
    shown = f"`go {' '.join(command[1:])}`"
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing of it is the user's
            command,
            cwd=folder,
            env={**os.environ, "GOWORK": "off"},  # no workspace of the user's around them
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GO_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunnerUnavailable(
            f"{shown} took more than {_GO_SECONDS:.0f} s; try again, or give a binary with "
            "--prism_location"
        ) from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        said = (lines or ["it said nothing"])[-1][:_SAID]
        raise RunnerUnavailable(
            f"{shown} failed with {done.returncode}: {said}; give a binary with --prism_location"
        )
    return done.stdout
