"""The Prism binary: a named one, or one that is built once with Go.

Beam itself would download it from GitHub at the first run, which fails in the middle of a run on a
machine that cannot reach GitHub.

The published Prism listens on all interfaces and does not authenticate anybody: whoever reaches its
port can run a program as this user. The one that is built here listens on loopback. Prism has no
option for it, and Go does not overlay a file in its module cache (``-overlay``), so the module's
sources are copied and two lines of them are changed. The second one ends a busy wait: while a bundle
waits for records, the published Prism keeps asking whether the bundle's data has ended, which it
has, and spends half a processor on it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from apache_beam.version import __version__ as BEAM_VERSION

from runners import programs
from runners.beam.private import fetched_prism
from runners.build_cache import cache_folder, made_once
from runners.runner import RunnerUnavailable

_log = logging.getLogger(__name__)

VERSION = f"v{BEAM_VERSION}"
"""The version to build: that of the SDK, which Beam would download too."""

MODULE = "github.com/apache/beam/sdks/v2"

SERVER = "go/pkg/beam/runners/prism/internal/jobservices/server.go"
"""The only file of the module in which Prism listens. Its web server, which is not started, is on
loopback anyway."""

_LISTENS = 'net.Listen("tcp", fmt.Sprintf(":%d", port))'
_LISTENS_ON_LOOPBACK = 'net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))'


STAGE = "go/pkg/beam/runners/prism/internal/stage.go"
"""The file of the module that waits for a bundle."""

_ENDED = "\t\tcase <-dataReady:\n\t\t\tdataFinished = true\n"
_ENDED_ONCE = f"{_ENDED}\t\t\tdataReady = nil\n"  # Go never receives from nil


def located(location: str | None) -> str:
    """The path of the binary to start.

    Args:
        location: Beam's ``--prism_location``, if given: a path, or a zip file or URL that Beam
            unpacks or downloads.

    Raises:
        RunnerUnavailable: It is not at that location, or none is given and none can be built.
    """
    return str(_built()) if location is None else _checked(location)


def cached() -> Path:
    """Where the binary that Go builds is kept, for this user and this version of Beam."""
    return cache_folder() / "prism" / f"{VERSION}-loopback-waiting" / "prism"


def available() -> str | None:
    """Why there is no Prism and none can be built here, in a few words; None otherwise.

    Nothing is built.
    """
    if cached().is_file() or shutil.which("go") is not None:
        return None
    return "go not found (Go builds Prism)"


def _checked(location: str) -> str:
    if "://" in location or location.endswith(".zip"):
        try:
            return fetched_prism(location)
        except (OSError, RuntimeError, ValueError) as error:
            raise RunnerUnavailable(
                f"--prism_location {location}: cannot be fetched ({error})"
            ) from error
    path = Path(location)
    if not path.is_file() or not os.access(path, os.X_OK):
        raise RunnerUnavailable(
            f"--prism_location {location}: no such program; leave it out to have Go build Prism"
        )
    return str(path.absolute())


def _built() -> Path:
    """The cached binary, built first if it does not exist."""
    binary = cached()
    try:
        return made_once(binary, _build)
    except OSError as error:
        raise RunnerUnavailable(
            f"Prism cannot be built into {binary.parent}: {error.strerror or error}; "
            "name a binary with --prism_location"
        ) from error


def _build(scratch: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        raise RunnerUnavailable(
            f"PrismRunner needs Go (https://go.dev/dl), which builds Prism {VERSION} once, or a "
            "Prism that listens on loopback only, named with --prism_location"
        )
    _log.warning("building Prism %s with Go, once: this takes some minutes", VERSION)
    printed = _run([go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], scratch)
    sources = scratch / "sources"
    _copy(_downloaded(printed), sources)
    for name, changed in ((SERVER, on_loopback), (STAGE, waiting)):
        file = sources / name
        file.write_text(changed(file.read_text()))
    _run([go, "build", "-buildvcs=false", "-o", "prism", "./go/cmd/prism"], sources)
    return sources / "prism"


def on_loopback(source: str) -> str:
    """The text of ``SERVER`` with its listener on loopback.

    Raises:
        RunnerUnavailable: It does not listen in exactly one place, in the way that is expected.
    """
    if source.count("net.Listen(") != 1 or _LISTENS not in source:
        raise RunnerUnavailable(
            f"Prism {VERSION} does not listen in the way that this program expects, so it cannot "
            f"be kept on loopback ({SERVER}); name a binary that is, with --prism_location"
        )
    return source.replace(_LISTENS, _LISTENS_ON_LOOPBACK)


def waiting(source: str) -> str:
    """The text of ``STAGE`` that waits for a bundle without a busy loop.

    Raises:
        RunnerUnavailable: It does not wait in exactly one place, in the way that is expected.
    """
    if source.count(_ENDED) != 1:
        raise RunnerUnavailable(
            f"Prism {VERSION} does not wait for a bundle in the way that this program expects, so an "
            f"idle stream would keep a processor busy ({STAGE}); name a binary with --prism_location"
        )
    return source.replace(_ENDED, _ENDED_ONCE)


def _downloaded(printed: str) -> Path:
    """The folder of the module in Go's cache."""
    try:
        return Path(json.loads(printed)["Dir"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunnerUnavailable(
            f"`go mod download {MODULE}@{VERSION}` did not print where the sources are; "
            "name a binary with --prism_location"
        ) from error


def _copy(module: Path, target: Path) -> None:
    """Copy what Prism is built from. The files in Go's cache are read-only, the copies are not."""
    shutil.copytree(module / "go", target / "go", copy_function=shutil.copyfile)
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(module / name, target / name)


def _run(command: Sequence[str], folder: Path) -> str:
    """What Go prints; a workspace of the user's that may surround ``folder`` does not matter."""
    try:
        return programs.run(command, folder, {"GOWORK": "off"})
    except RunnerUnavailable as error:
        raise RunnerUnavailable(f"{error}; name a binary with --prism_location") from error
