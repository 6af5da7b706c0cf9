"""Patches of Beam's job server: it drops residuals that were used, listens where it is told to, and sends no jars.

Before 2.76, Beam gives each residual of a splittable DoFn a state of its own in Flink, which stays
in every checkpoint forever (apache/beam #27648). Here the three places that write and read residuals
are changed to use ``Residual.java``. They are compiled against the jars that contain them and put
into these jars, which are on the class path of Flink's processes.

Beam's servers (of jobs and artifacts in the job server; of control, data, state and logs in a
TaskManager, for its workers) are given ``localhost`` and a port, but use the port alone and listen
on all interfaces, without authentication.

A job brings the jars of the job server's class path, 164 MB, which the cluster has anyway. To send, check and copy
them took the JobManager and a TaskManager 8 seconds of CPU for each job.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runners.runner import RunnerUnavailable

PATCH = 4
"""Part of the folder's name: raise it with any change of the jars, and they are fetched again."""

_JAVA = Path(__file__).with_name("Residual.java")
_BEAM = "org/apache/beam/runners"
_SERVERS = "org/apache/beam/sdk/fn/server/ServerFactory.java"
_INVOKER = f"{_BEAM}/flink/FlinkJobInvoker.java"
_CHANGED: Mapping[str, Sequence[str]] = {
    "beam-runners-java-fn-execution": (
        f"{_BEAM}/fnexecution/control/BundleCheckpointHandlers.java",
    ),
    "beam-runners-flink-1.16": (
        _INVOKER,
        f"{_BEAM}/flink/translation/functions/FlinkExecutableStageFunction.java",
        f"{_BEAM}/flink/translation/wrappers/streaming/ExecutableStageDoFnOperator.java",
    ),
    "beam-sdks-java-fn-execution": (_SERVERS,),
}
SOURCES = tuple(_CHANGED)
"""The artifacts whose sources ``patch`` needs, which have Maven's classifier ``sources``."""

_STORED = re.compile(
    r"(?P<state>\w+)\s*\.state\((?P<namespace>[\w.()]+), "
    r"StateTags\.value\((?P<id>[\w.()]+), (?P<coder>\w+)\)\)\s*\.(?P<use>read|write)\("
)
_USES = {"read": "take", "write": "put"}
_LISTENS = "NettyServerBuilder.forPort(socket.getPort())"
_LISTENS_THERE = "NettyServerBuilder.forAddress(socket)"
_SENT = re.compile(
    r"detectClassPathResourcesToStage\(\s*FlinkJobInvoker\.class\.getClassLoader\(\), flinkOptions\)"
)
_UNKNOWN = re.compile(r"^.*\bSuppressFBWarnings\b.*\n", re.MULTILINE)
"""An annotation for a tool of Beam's build, whose jar the job server does not need."""


def patch(
    folder: Path, version: str, scratch: Path, run: Callable[[Sequence[str], Path], object]
) -> None:
    """Patch the job server's jars in ``folder``, and remove the jars with their sources.

    Args:
        folder: Contains the jars and, for ``SOURCES``, those with their sources.
        version: Of Beam.
        scratch: A folder for intermediate files.
        run: Runs a command in a folder, or raises ``RunnerUnavailable``.

    Raises:
        RunnerUnavailable: A jar is not as expected, or the patch does not compile.
    """
    sources, classes = scratch / "java", scratch / "classes"
    classes.mkdir()
    files = [str(_JAVA)]
    for artifact, names in _CHANGED.items():
        archive_path = folder / f"{artifact}-{version}-sources.jar"
        for name in names:
            file = sources / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(archive_path) as archive:
                file.write_text(edited(archive.read(name).decode(), name))
            files.append(str(file))
        archive_path.unlink()
    options = ["-proc:none", "-nowarn", "-encoding", "UTF-8", "--release", "11"]
    run(["javac", *options, "-cp", f"{folder}/*", "-d", str(classes), *files], scratch)
    compiled = {str(path.relative_to(classes)): path for path in classes.rglob("*.class")}
    for artifact, names in _CHANGED.items():
        stems = tuple(name.removesuffix(".java") for name in names)
        own = {name: path for name, path in compiled.items() if _outer(name) in stems}
        _replace(folder / f"{artifact}-{version}.jar", own, scratch)
    with zipfile.ZipFile(folder / "sluice-residual.jar", "w") as jar:
        jar.write(compiled["sluice/Residual.class"], "sluice/Residual.class")


def edited(source: str, name: str) -> str:
    """The source ``name`` with its residuals kept by ``Residual``, its servers on their address, or no jars sent.

    Raises:
        RunnerUnavailable: It does not have exactly one place to change.
    """
    if name == _SERVERS:
        if source.count(_LISTENS) != 1:
            raise RunnerUnavailable(
                f"{name} of Beam listens in {source.count(_LISTENS)} of the expected places, not 1"
            )
        return source.replace(_LISTENS, _LISTENS_THERE)
    if name == _INVOKER:
        text, count = _SENT.subn("java.util.Collections.emptyList()", source)
        if count != 1:
            raise RunnerUnavailable(f"{name} of Beam sends jars in {count} places, not 1")
        return text
    text, count = _STORED.subn(
        lambda match: (
            "sluice.Residual.of({state}, {namespace}, {id}, {coder}).".format(**match.groupdict())
            + _USES[match["use"]]
            + "("
        ),
        source,
    )
    if count != 1:
        raise RunnerUnavailable(f"{name} of Beam keeps residuals in {count} places, not 1")
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
