"""Patches of Beam's job server, which are made when it is fetched.

* Before 2.76, Beam gives each residual of a splittable DoFn a state of its own in Flink, which stays
  in every checkpoint forever (apache/beam #27648). The three places that write and read residuals
  are changed to use ``Residual.java``.
* Beam's servers (of jobs and artifacts in the job server; of control, data, state and logs in a
  TaskManager, for its workers) are given ``localhost`` and a port, but use the port alone and listen
  on all interfaces, without authentication. Here they listen where they are told to.
* A job brings the jars of the job server's class path, 164 MB, which the cluster has anyway. To send,
  check and copy them took the JobManager and a TaskManager 8 seconds of CPU for each job.
* The job server asks Flink whether a job has ended, ever more rarely, in the end every 2 s. So a
  command of a few seconds ended up to 2 s after its job.

The sources that are changed are compiled against the jars that contain them and put into these jars,
which are on the class path of Flink's processes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runners.runner import RunnerUnavailable

PATCH = 5
"""Part of the folder's name: raise it with any change of the jars, and they are fetched again."""

BEAM = "2.50.0"
"""The newest release of Beam whose job server is published as a library for Flink 1.16."""
_CLIENT = "1.16.0"
"""The release of Flink whose client that job server uses."""

_JAVA = Path(__file__).with_name("Residual.java")


@dataclass(frozen=True, slots=True)
class Source:
    """A jar of which sources are changed.

    Attributes:
        group: Maven's name of its publisher.
        artifact: Its name.
        version: Its version.
        files: The sources that are changed.
    """

    group: str
    artifact: str
    version: str
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        """The jar's file name, without its extension."""
        return f"{self.artifact}-{self.version}"


@dataclass(frozen=True, slots=True)
class _Edit:
    """The one place of a source that is changed.

    Attributes:
        place: How it looks; it is there exactly once.
        instead: What is written there.
        does: What the source does in that place, for an error.
    """

    place: re.Pattern[str]
    instead: Callable[[re.Match[str]], str]
    does: str


def _kept(match: re.Match[str]) -> str:
    use = {"read": "take", "write": "put"}[match["use"]]
    of = "sluice.Residual.of({state}, {namespace}, {id}, {coder})".format(**match.groupdict())
    return f"{of}.{use}("


_RUNNERS = "org/apache/beam/runners"
_CONTROL = f"{_RUNNERS}/fnexecution/control/BundleCheckpointHandlers.java"
_BATCH = f"{_RUNNERS}/flink/translation/functions/FlinkExecutableStageFunction.java"
_STREAMING = f"{_RUNNERS}/flink/translation/wrappers/streaming/ExecutableStageDoFnOperator.java"
_INVOKER = f"{_RUNNERS}/flink/FlinkJobInvoker.java"
_SERVERS = "org/apache/beam/sdk/fn/server/ServerFactory.java"
_REST = "org/apache/flink/client/program/rest/RestClusterClient.java"

SOURCES = (
    Source("org.apache.beam", "beam-runners-java-fn-execution", BEAM, (_CONTROL,)),
    Source("org.apache.beam", "beam-runners-flink-1.16", BEAM, (_INVOKER, _BATCH, _STREAMING)),
    Source("org.apache.beam", "beam-sdks-java-fn-execution", BEAM, (_SERVERS,)),
    Source("org.apache.flink", "flink-clients", _CLIENT, (_REST,)),
)
"""The jars whose sources ``patch`` needs, which have Maven's classifier ``sources``."""

_RESIDUAL = _Edit(
    re.compile(
        r"(?P<state>\w+)\s*\.state\((?P<namespace>[\w.()]+), "
        r"StateTags\.value\((?P<id>[\w.()]+), (?P<coder>\w+)\)\)\s*\.(?P<use>read|write)\("
    ),
    _kept,
    "keeps residuals",
)
_EDITS = {
    _CONTROL: _RESIDUAL,
    _BATCH: _RESIDUAL,
    _STREAMING: _RESIDUAL,
    _INVOKER: _Edit(
        re.compile(
            r"detectClassPathResourcesToStage\("
            r"\s*FlinkJobInvoker\.class\.getClassLoader\(\), flinkOptions\)"
        ),
        lambda _: "java.util.Collections.emptyList()",
        "sends jars",
    ),
    _SERVERS: _Edit(
        re.compile(r"NettyServerBuilder\.forPort\(socket\.getPort\(\)\)"),
        lambda _: "NettyServerBuilder.forAddress(socket)",
        "listens",
    ),
    _REST: _Edit(
        re.compile(r"new ExponentialWaitStrategy\(10L, 2000L\)"),
        lambda _: "new ExponentialWaitStrategy(10L, 200L)",
        "waits for the end of jobs",
    ),
}
_UNKNOWN = re.compile(r"^.*\bSuppressFBWarnings\b.*\n", re.MULTILINE)
"""An annotation for a tool of Beam's build, whose jar the job server does not need."""


def patch(folder: Path, scratch: Path, run: Callable[[Sequence[str], Path], object]) -> None:
    """Patch the job server's jars in ``folder``, and remove the jars with their sources.

    Args:
        folder: Contains the jars and, for ``SOURCES``, those with their sources.
        scratch: A folder for intermediate files.
        run: Runs a command in a folder, or raises ``RunnerUnavailable``.

    Raises:
        RunnerUnavailable: A jar is not as expected, or the patch does not compile.
    """
    classes = scratch / "classes"
    classes.mkdir()
    files = [str(_JAVA)]
    for source in SOURCES:
        archive_path = folder / f"{source.name}-sources.jar"
        for name in source.files:
            file = scratch / "java" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(archive_path) as archive:
                file.write_text(edited(archive.read(name).decode(), name))
            files.append(str(file))
        archive_path.unlink()
    options = ["-proc:none", "-nowarn", "-encoding", "UTF-8", "--release", "11"]
    run(["javac", *options, "-cp", f"{folder}/*", "-d", str(classes), *files], scratch)
    compiled = {str(path.relative_to(classes)): path for path in classes.rglob("*.class")}
    for source in SOURCES:
        stems = tuple(name.removesuffix(".java") for name in source.files)
        own = {name: path for name, path in compiled.items() if _outer(name) in stems}
        _replace(folder / f"{source.name}.jar", own, scratch)
    with zipfile.ZipFile(folder / "sluice-residual.jar", "w") as jar:
        jar.write(compiled["sluice/Residual.class"], "sluice/Residual.class")


def edited(source: str, name: str) -> str:
    """The source ``name``, changed as the top of this file says.

    Raises:
        RunnerUnavailable: It does not have exactly one place to change.
    """
    edit = _EDITS[name]
    text, count = edit.place.subn(edit.instead, source)
    if count != 1:
        raise RunnerUnavailable(f"{name} {edit.does} in {count} places, not 1")
    return _UNKNOWN.sub("", text)


def _outer(name: str) -> str:
    return name.removesuffix(".class").partition("$")[0]


def _replace(jar: Path, classes: Mapping[str, Path], scratch: Path) -> None:
    """Write ``jar`` again with ``classes`` instead of its own of these names."""
    patched = scratch / jar.name
    with zipfile.ZipFile(jar) as old, zipfile.ZipFile(patched, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename not in classes:
                new.writestr(entry, old.read(entry))
        for name, file in classes.items():
            new.write(file, name)
    patched.replace(jar)
