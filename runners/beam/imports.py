"""Import Beam without what it brings along and no pipeline of this program uses.

``import apache_beam`` also imports its connectors to Google Cloud, S3, Azure, MongoDB and Arrow
wherever their packages are installed, and goes without where they are not (each such import in Beam
stands in ``try … except ImportError``). They are half of the time that it takes.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

UNUSED = (
    "apache_beam.io.aws.s3filesystem",
    "apache_beam.io.azure.blobstoragefilesystem",
    "apache_beam.io.gcp.bigquery",
    "apache_beam.io.gcp.gcsfilesystem",
    "apitools",
    "bson",
    "google.api_core",
    "google.cloud.dataflow",
    "pyarrow",
    "pymongo",
)
"""What Beam goes without if it is not installed."""


class Undecided(Exception):
    """Stands for ``BeartypeDoorException`` in Beam: two type hints cannot be compared."""


def _is_subhint(one: object, other: object) -> bool:
    """``beartype.door.is_subhint``, imported at the first call."""
    from beartype.door import is_subhint
    from beartype.roar import BeartypeDoorException

    try:
        return is_subhint(one, other)
    except BeartypeDoorException as error:
        raise Undecided(str(error)) from error


LATER: Mapping[str, Mapping[str, Any]] = {
    # Beam compares type hints with it where its own rules do not suffice.
    "beartype.door": {"is_subhint": _is_subhint},
    "beartype.roar": {"BeartypeDoorException": Undecided},
    # Beam fetches packages of a pipeline with it.
    "httplib2": {},
    # NumPy annotates a few results with it; thousands of literal types are made for it.
    "numpy._typing": {"NDArray": list},
}
"""What Beam and NumPy import and rarely use: modules, and what stands for the names that are taken
from them. Such a module is imported when anything else of it is used."""

PLAIN = frozenset(
    {
        *("flink_master", "job_endpoint", "job_name", "parallelism", "max_parallelism"),
        *("sdk_worker_parallelism", "environment_type", "environment_config", "savepoint_path"),
        *("checkpointing_interval", "checkpoint_timeout_millis", "min_pause_between_checkpoints"),
        *("max_bundle_size", "max_bundle_time_mills", "streaming"),
    }
)
"""Flags of Beam that need none of ``UNUSED``: numbers, addresses, and what the job server alone reads."""

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def import_beam(beam_flags: Sequence[str]) -> None:
    """Import Beam without ``UNUSED`` and ``LATER``, unless it is imported or something may need them.

    Afterwards all of it can be imported, but ``apache_beam.io`` lacks the connectors, and Beam's file
    systems are the local ones. So this is for a program that is ours from end to end, and not for
    one that adds steps.

    Args:
        beam_flags: Those of the command line that are Beam's own. With any but ``PLAIN`` ones Beam is
            imported whole: some take paths of its file systems, such as ``--profile_location``.
    """
    if "apache_beam" in sys.modules or not all(map(_is_plain, beam_flags)):
        return
    with _hidden(UNUSED), _postponed(LATER), _one_blas_thread():
        import_module("apache_beam")


def _is_plain(argument: str) -> bool:
    """Whether an argument is a value, or a flag that needs nothing of ``UNUSED``."""
    name = argument.partition("=")[0]
    return not name.startswith("-") or name.lstrip("-").replace("-", "_") in PLAIN


@contextmanager
def _hidden(names: Sequence[str]) -> Iterator[None]:
    """Let imports of ``names`` fail in the block, as if they were not installed, and in silence."""
    hidden = [name for name in names if name not in sys.modules]
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # Beam warns where MongoDB's package is not installed
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be imported
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        logging.disable(disabled)


class _Later(ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks every module for
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def _postponed(modules: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Let imports of ``modules`` in the block give a module that is imported once it is used."""
    postponed: dict[str, ModuleType] = {}
    for name, parts in modules.items():
        if name not in sys.modules:
            postponed[name] = _Later(name)
            vars(postponed[name]).update(parts)
    sys.modules.update(postponed)
    try:
        yield
    finally:
        for name, module in postponed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Let NumPy start no threads for linear algebra, if the block imports it: they spin for a while."""
    if _BLAS_THREADS in os.environ:
        yield
        return
    os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[_BLAS_THREADS]
