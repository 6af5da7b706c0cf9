"""The classes of a cluster's virtual machines, as they were when a first cluster had loaded them.

To find, check and link its classes takes a virtual machine of Flink two seconds of CPU when it starts, and
as much again with its first job. Since version 13, Java can write them to an archive when it ends, and map
it into memory when it starts. An archive is for one build of Java and one class path; with another one, Java
ignores it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runners.build_cache import jars_folder, made_once
from runners.runner import RunnerUnavailable

_log = logging.getLogger(__name__)

JAVA = 13
"""The first version that writes such an archive."""


@dataclass(frozen=True, slots=True)
class Archives:
    """The archives of one cluster's virtual machines.

    Attributes:
        folder: Where they are, one for each kind of process.
        written: Whether the virtual machines write them when they end, or have them.
    """

    folder: Path
    written: bool = False

    def file(self, kind: str) -> Path:
        """The archive of one kind of process."""
        return self.folder / f"{kind}.jsa"

    def options(self, kind: str) -> list[str]:
        """The options of the virtual machine of one kind of process."""
        if self.written:
            return [f"-XX:ArchiveClassesAtExit={self.file(kind)}"]
        if self.file(kind).exists():
            return [f"-XX:SharedArchiveFile={self.file(kind)}"]
        return []


def archives(of: str, version: str, write: Callable[[Archives, Path], None]) -> Archives:
    """The archives of ``of``; the first time, ``write`` has them written.

    Args:
        of: What the class path consists of, as a name of a folder.
        version: What Java says of itself.
        write: Runs a cluster in a scratch folder, whose virtual machines write them, until it has ended.
            If it raises ``RunnerUnavailable``, there are the archives that were written until then.

    Raises:
        OSError: The folder of the cache cannot be written.
    """

    def make(scratch: Path) -> Path:
        _log.warning("noting which classes Flink loads, once: this may take a minute")
        target = scratch / "classes"
        target.mkdir()
        try:
            write(Archives(target, written=True), scratch / "cluster")
        except RunnerUnavailable as error:
            _log.warning("a local Flink cluster will start slowly: %s", error)
        return target

    digest = hashlib.sha256(version.encode()).hexdigest()[:12]
    return Archives(made_once(jars_folder() / f"{of}-classes-{digest}", make))
