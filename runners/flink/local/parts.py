"""What a local Flink cluster is made of, fetched once a user from package registries.

Flink itself is in the source distribution of a Python package (jars only: it has no start
scripts), Beam's job server comes by Maven and is mended (``runners.flink.local.residuals``), and the
program that starts a Python worker is built by Go. They lie in ``$SLUICE_JARS``, or else in
``$XDG_CACHE_HOME/sluice/jars``.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apache_beam.version import __version__ as BEAM_VERSION

from runners.flink.local import one_jar
from runners.flink.local import residuals as flink_residuals
from runners.runner import RunnerUnavailable

_log = logging.getLogger(__name__)

FLINK = "1.16.3"
JOB_SERVER = "2.50.0"
"""Of Beam's releases the newest whose job server is published as a library for that Flink."""
JAVA = 11

_FETCH_SECONDS = 900.0
_SAID = 300
"""Characters of a program's last line that an error repeats."""

# Beside flink-dist: what it logs with, and what it links to. Its tables and CEP are not used here.
_FLINK_JARS = re.compile(r".*/deps/lib/(?:flink-dist|flink-shaded-zookeeper|log4j-)[^/]*\.jar")
_MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
_BOOT_PACKAGE = "github.com/apache/beam/sdks/v2/python/container"
_SOURCES = "".join(
    f"""
    <dependency>
      <groupId>org.apache.beam</groupId><artifactId>{artifact}</artifactId>
      <version>{JOB_SERVER}</version><classifier>sources</classifier>
    </dependency>"""
    for artifact in flink_residuals.SOURCES
)
# Without a binding of slf4j the job server logs nothing.
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>flink-job-server</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.beam</groupId><artifactId>beam-runners-flink-1.16</artifactId>
      <version>{JOB_SERVER}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>{_SOURCES}
  </dependencies>
</project>
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where everything lies.

    Attributes:
        java: The program.
        flink: Folder of Flink's jars.
        job_server: Folder of the jars of Beam's job server.
        boot: Beam's program that starts a Python worker.
    """

    java: str
    flink: Path
    job_server: Path
    boot: Path


def folder() -> Path:
    """Where the parts are kept, for this user."""
    named = os.environ.get("SLUICE_JARS")
    if named:
        return Path(named).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sluice" / "jars"


def _flink() -> Path:
    return folder() / f"flink-{FLINK}"


def _job_server() -> Path:
    return folder() / f"beam-flink-job-server-{JOB_SERVER}-mended-{flink_residuals.MENDED}"


def _boot() -> Path:
    return folder() / f"beam-boot-{BEAM_VERSION}"


def available() -> str | None:
    """Why no cluster can be started here, in a few words; None when one can.

    Maven, javac and Go are needed only until their parts are there. Nothing is fetched by asking.
    """
    java = shutil.which("java")
    if java is None:
        return f"java not found (Java {JAVA} or 17 runs Flink)"
    printed = subprocess.run(  # noqa: S603 - the java on the path
        [java, "-version"], capture_output=True, text=True, timeout=60, check=False
    ).stderr
    found = re.search(r'version "(\d+)', printed)
    if found is None or int(found[1]) < JAVA:
        return f"java {found[1] if found else '(unknown)'} found, {JAVA} or newer is needed"
    if shutil.which("mvn") is None and not _job_server().is_dir():
        return "mvn not found (Maven fetches Beam's job server)"
    if shutil.which("javac") is None and not _job_server().is_dir():
        return "javac not found (a JDK, not only Java, mends Beam's job server)"
    if shutil.which("go") is None and not _boot().is_dir():
        return "go not found (Go builds the program that starts Python workers)"
    return None


def fetched() -> Parts:
    """All parts, fetched now where they are not there yet: some minutes, once.

    Several processes may call it at once: one fetches, the others wait for it. A folder
    appears whole or not at all.

    Raises:
        RunnerUnavailable: A program is missing, or a registry did not give a part.
    """
    missing = available()
    if missing is not None:
        raise RunnerUnavailable(f"no local Flink cluster: {missing}")
    java = shutil.which("java")
    assert java is not None  # noqa: S101 - available() has looked
    try:
        return Parts(
            java=java,
            flink=_once(_flink(), f"Flink {FLINK}", _fetch_flink),
            job_server=_once(
                _job_server(), f"Beam's Flink job server {JOB_SERVER}", _fetch_job_server
            ),
            boot=_once(_boot(), f"Beam's worker start {BEAM_VERSION}", _build_boot) / "boot",
        )
    except OSError as error:
        raise RunnerUnavailable(
            f"no local Flink cluster: {folder()} cannot be filled ({error.strerror or error}); "
            "name another folder with SLUICE_JARS"
        ) from error


def _once(made: Path, what: str, fetch: Callable[[Path, Path], None]) -> Path:
    if made.is_dir():
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    with _locked(made.parent / f".{made.name}.lock"):
        if not made.is_dir():
            _log.warning("fetching %s, once: up to some minutes", what)
            scratch = Path(tempfile.mkdtemp(prefix=f".{made.name}-", dir=made.parent))
            try:
                target = scratch / "made"
                target.mkdir()
                fetch(scratch, target)
                target.rename(made)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return made


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Waiting has no deadline of its own: the holder's programs have one, and a dead holder
    # holds nothing.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_flink(scratch: Path, target: Path) -> None:
    package = f"apache-flink-libraries=={FLINK}"
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    download += ["--disable-pip-version-check", "--no-binary=:all:", "--dest", str(scratch)]
    _run([*download, package], scratch)
    for archive in scratch.glob("*.tar.gz"):
        with tarfile.open(archive) as files:
            for member in files:
                if _FLINK_JARS.fullmatch(member.name) and member.isfile():
                    content = files.extractfile(member)
                    assert content is not None  # noqa: S101 - it is a file
                    with (target / Path(member.name).name).open("wb") as jar:
                        shutil.copyfileobj(content, jar)
    if not any(target.glob("flink-dist*.jar")):
        raise RunnerUnavailable(f"{package} has no flink-dist jar in it")


def _fetch_job_server(scratch: Path, target: Path) -> None:
    (scratch / "pom.xml").write_text(_POM)
    _run(["mvn", "-q", "-B", _MAVEN_GOAL, f"-DoutputDirectory={target}"], scratch)
    flink_residuals.mend(target, JOB_SERVER, scratch, _run)
    one_jar.merge(target, "job-server.jar")


def _build_boot(scratch: Path, target: Path) -> None:
    package = f"{_BOOT_PACKAGE}@v{BEAM_VERSION}"
    _run(["go", "install", package], scratch, {"GOBIN": str(scratch)})
    (scratch / "container").rename(target / "boot")


def _run(command: Sequence[str], scratch: Path, added: Mapping[str, str] | None = None) -> None:
    shown = " ".join(command[:4])
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing of it is the user's
            command,
            cwd=scratch,
            env={**os.environ, **(added or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunnerUnavailable(f"`{shown} …` took more than {_FETCH_SECONDS:.0f} s") from error
    if done.returncode:
        said = (done.stdout.strip().splitlines() or ["it said nothing"])[-1][:_SAID]
        raise RunnerUnavailable(f"`{shown} …` failed with {done.returncode}: {said}")
