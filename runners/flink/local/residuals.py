"""Beam's job server, changed in two ways before it is used: what it keeps of a self-checkpoint is
forgotten when it was used, and its servers listen on the address that they are given.

Before 2.76 Beam gives each residual of a splittable DoFn a state of its own in Flink, which stays
in every checkpoint for ever (apache/beam #27648). Here the three places that write and read them
are changed to use ``flink_java/Residual.java``, compiled against the jars that have them, and put
into these jars: Flink's TaskManagers get them with each job.

Beam's servers (of jobs and artifacts in the job server; of control, data, state and logs in a
TaskManager, for its workers) are given ``localhost`` and a port, use the port alone and listen on
all interfaces, without authentication.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runners.runner import RunnerUnavailable

MENDED = 3
"""Part of the folder's name: raise it with any change of the jars, and they are made anew."""

_JAVA = Path(__file__).with_name("Residual.java")
_BEAM = "org/apache/beam/runners"
_SERVERS = "org/apache/beam/sdk/fn/server/ServerFactory.java"
_CHANGED: Mapping[str, Sequence[str]] = {
    "beam-runners-java-fn-execution": (
        f"{_BEAM}/fnexecution/control/BundleCheckpointHandlers.java",
    ),
    "beam-runners-flink-1.16": (
        f"{_BEAM}/flink/translation/functions/FlinkExecutableStageFunction.java",
        f"{_BEAM}/flink/translation/wrappers/streaming/ExecutableStageDoFnOperator.java",
    ),
    "beam-sdks-java-fn-execution": (_SERVERS,),
}
SOURCES = tuple(_CHANGED)
"""The artifacts whose sources ``mend`` needs beside them, by Maven's classifier ``sources``."""

_KEPT = re.compile(
    r"(?P<state>\w+)\s*\.state\((?P<namespace>[\w.()]+), "
    r"StateTags\.value\((?P<id>[\w.()]+), (?P<coder>\w+)\)\)\s*\.(?P<use>read|write)\("
)
_USES = {"read": "take", "write": "put"}
_LISTENS = "NettyServerBuilder.forPort(socket.getPort())"
_LISTENS_THERE = "NettyServerBuilder.forAddress(socket)"
_UNKNOWN = re.compile(r"^.*\bSuppressFBWarnings\b.*\n", re.MULTILINE)
"""An annotation for a tool of Beam's build; its jar is not among those that run."""


def mend(
    folder: Path, version: str, scratch: Path, run: Callable[[Sequence[str], Path], None]
) -> None:
    """Change the job server's jars in ``folder``, and remove the jars with their sources.

    Args:
        folder: Has the jars and, for ``SOURCES``, those with their sources.
        version: Of Beam.
        scratch: An empty folder's place, for what is made on the way.
        run: Runs a command in a folder, or raises ``RunnerUnavailable``.

    Raises:
        RunnerUnavailable: A jar is not what this was written for, or does not compile.
    """
    written, compiled = scratch / "java", scratch / "classes"
    compiled.mkdir()
    files = [str(_JAVA)]
    for artifact, names in _CHANGED.items():
        sources = folder / f"{artifact}-{version}-sources.jar"
        for name in names:
            file = written / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(sources) as archive:
                file.write_text(edited(archive.read(name).decode(), name))
            files.append(str(file))
        sources.unlink()
    options = ["-proc:none", "-nowarn", "-encoding", "UTF-8", "--release", "11"]
    run(["javac", *options, "-cp", f"{folder}/*", "-d", str(compiled), *files], scratch)
    classes = {str(each.relative_to(compiled)): each for each in compiled.rglob("*.class")}
    for artifact, names in _CHANGED.items():
        stems = tuple(name.removesuffix(".java") for name in names)
        own = {name: each for name, each in classes.items() if _outer(name) in stems}
        _replace(folder / f"{artifact}-{version}.jar", own, scratch)
    with zipfile.ZipFile(folder / "sluice-residual.jar", "w") as made:
        made.write(classes["sluice/Residual.class"], "sluice/Residual.class")


def edited(source: str, name: str) -> str:
    """The text of ``name`` with its residuals in ``Residual``, or its servers on their address.

    Raises:
        RunnerUnavailable: There is not exactly one place to change.
    """
    if name == _SERVERS:
        if source.count(_LISTENS) != 1:
            raise RunnerUnavailable(
                f"{name} of Beam listens in {source.count(_LISTENS)} of the known ways, not in one"
            )
        return source.replace(_LISTENS, _LISTENS_THERE)
    text, count = _KEPT.subn(
        lambda found: (
            "sluice.Residual.of({state}, {namespace}, {id}, {coder}).".format(**found.groupdict())
            + _USES[found["use"]]
            + "("
        ),
        source,
    )
    if count != 1:
        raise RunnerUnavailable(f"{name} of Beam keeps residuals in {count} places, not in one")
    return _UNKNOWN.sub("", text)


def _outer(name: str) -> str:
    return name.removesuffix(".class").partition("$")[0]


def _replace(jar: Path, classes: Mapping[str, Path], scratch: Path) -> None:
    """Write ``jar`` anew with ``classes`` in the place of those that it has."""
    made = scratch / jar.name
    with zipfile.ZipFile(jar) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename not in classes:
                new.writestr(entry, old.read(entry))
        for name, file in classes.items():
            new.write(file, name)
    made.replace(jar)
