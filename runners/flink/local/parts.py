"""What a local Flink cluster consists of, fetched once for each user from package registries.

Flink itself is in the source distribution of a Python package (jars only: it has no start
scripts). Beam's job server comes from Maven and is patched (``runners.flink.local.patches``).
The program that starts a Python worker is built by Go. They are kept in ``$SLUICE_JARS``, or
otherwise in ``$XDG_CACHE_HOME/sluice/jars``.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from runners import programs
from runners.build_cache import jars_folder, made_once
from runners.flink.local import one_jar, patches
from runners.flink.local.classes import Archives
from runners.runner import RunnerUnavailable

_log = logging.getLogger(__name__)

FLINK = "1.16.3"
_FLINK_SHA256 = "d15df4185e9c507836b031879b64e18f68955dd7e90cd7d39b450513ed64ebbe"
"""The hash of the source distribution of that release of apache-flink-libraries."""

JAVA = 11

# Besides flink-dist: what it logs with and links to. Its tables and CEP are not used here.
_FLINK_JARS = re.compile(r".*/deps/lib/(?:flink-dist|flink-shaded-zookeeper|log4j-)[^/]*\.jar")
_MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
_BOOT_PACKAGE = "github.com/apache/beam/sdks/v2/python/container"
_SOURCES = "".join(
    f"""
    <dependency>
      <groupId>{source.group}</groupId><artifactId>{source.artifact}</artifactId>
      <version>{source.version}</version><classifier>sources</classifier>
    </dependency>"""
    for source in patches.SOURCES
)
# Without an slf4j binding the job server logs nothing.
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>flink-job-server</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.beam</groupId><artifactId>beam-runners-flink-1.16</artifactId>
      <version>{patches.BEAM}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>{_SOURCES}
  </dependencies>
</project>
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts are.

    Attributes:
        java: The program.
        flink: Folder of Flink's jars.
        job_server: Folder of the jars of Beam's job server.
        boot: Beam's program that starts a Python worker.
        classes: What Java loads of the jars, in one piece; None if it starts without.
    """

    java: str
    flink: Path
    job_server: Path
    boot: Path
    classes: Archives | None = None


NAME = f"flink-{FLINK}-job-server-{patches.BEAM}-patched-{patches.PATCH}"
"""All jars of a cluster."""


def _flink() -> Path:
    return jars_folder() / f"flink-{FLINK}"


def _job_server() -> Path:
    return jars_folder() / f"beam-flink-job-server-{patches.BEAM}-patched-{patches.PATCH}"


def _boot() -> Path:
    return jars_folder() / f"beam-boot-{_beam()}"


def _beam() -> str:
    """The release of Beam that is installed, asked of its metadata, because its import is slow."""
    from importlib.metadata import version  # slow too

    return version("apache-beam")


def available() -> str | None:
    """Why no cluster can be started here, in a few words; None if one can.

    Maven, javac and Go are needed only until their parts are fetched. Nothing is fetched now.
    """
    java = shutil.which("java")
    if java is None:
        return f"java not found (Java {JAVA} or 17 runs Flink)"
    version = java_version(java)[0]
    if version < JAVA:
        return f"java {version or '(unknown)'} found, {JAVA} or newer is needed"
    if shutil.which("mvn") is None and not _job_server().is_dir():
        return "mvn not found (Maven fetches Beam's job server)"
    if shutil.which("javac") is None and not _job_server().is_dir():
        return "javac not found (a JDK, not only Java, patches Beam's job server)"
    if shutil.which("go") is None and not _boot().is_dir():
        return "go not found (Go builds the program that starts Python workers)"
    return None


def java_version(java: str) -> tuple[int, str]:
    """The version of a program ``java``, 0 if it is unknown, and all that it says of itself."""
    printed = subprocess.run(  # noqa: S603 - the java on the path
        [java, "-version"], capture_output=True, text=True, timeout=60, check=False
    ).stderr
    version = re.search(r'version "(\d+)', printed)
    return int(version[1]) if version else 0, printed


def fetched() -> Parts:
    """All parts; those that are missing are fetched first, once, which takes some minutes.

    Several processes may call it at once: one fetches, the others wait for it. A folder
    appears whole or not at all.

    Raises:
        RunnerUnavailable: A program is missing, or a registry did not deliver a part.
    """
    missing = available()
    if missing is not None:
        raise RunnerUnavailable(f"no local Flink cluster: {missing}")
    java = shutil.which("java")
    assert java is not None  # noqa: S101 - available() has looked
    try:
        return Parts(
            java=java,
            flink=made_once(_flink(), _fetch_flink),
            job_server=made_once(_job_server(), _fetch_job_server),
            boot=made_once(_boot(), _build_boot) / "boot",
        )
    except OSError as error:
        raise RunnerUnavailable(
            f"no local Flink cluster: {jars_folder()} cannot be filled "
            f"({error.strerror or error}); name another folder with SLUICE_JARS"
        ) from error


def _target(scratch: Path, what: str) -> Path:
    """An empty folder for a part that is about to be fetched."""
    _log.warning("fetching %s, once: this may take some minutes", what)
    target = scratch / "fetched"
    target.mkdir()
    return target


def _fetch_flink(scratch: Path) -> Path:
    target = _target(scratch, f"Flink {FLINK}")
    package = f"apache-flink-libraries=={FLINK}"
    locked = scratch / "flink.txt"
    locked.write_text(f"{package} --hash=sha256:{_FLINK_SHA256}\n")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    download += ["--disable-pip-version-check", "--no-binary=:all:", "--dest", str(scratch)]
    programs.run([*download, "--require-hashes", "--requirement", str(locked)], scratch)
    for archive in scratch.glob("*.tar.gz"):
        with tarfile.open(archive) as files:
            for member in files:
                if _FLINK_JARS.fullmatch(member.name) and member.isfile():
                    content = files.extractfile(member)
                    assert content is not None  # noqa: S101 - it is a file
                    with (target / Path(member.name).name).open("wb") as jar:
                        shutil.copyfileobj(content, jar)
    if not any(target.glob("flink-dist*.jar")):
        raise RunnerUnavailable(f"{package} does not contain a flink-dist jar")
    return target


def _fetch_job_server(scratch: Path) -> Path:
    target = _target(scratch, f"Beam's Flink job server {patches.BEAM}")
    (scratch / "pom.xml").write_text(_POM)
    # -C: a file whose checksum is wrong ends the build; by default Maven only warns.
    fetch = ["mvn", "-q", "-B", "-C", _MAVEN_GOAL, f"-DoutputDirectory={target}"]
    programs.run(fetch, scratch, errors_on_stdout=True)
    patches.patch(target, scratch, programs.run)
    one_jar.merge(target, "job-server.jar")
    return target


def _build_boot(scratch: Path) -> Path:
    target = _target(scratch, f"the program that starts Beam {_beam()}'s Python workers")
    package = f"{_BOOT_PACKAGE}@v{_beam()}"
    programs.run(["go", "install", package], scratch, {"GOBIN": str(scratch)})
    (scratch / "container").rename(target / "boot")
    return target
