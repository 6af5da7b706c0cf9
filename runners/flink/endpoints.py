"""How the Flink cluster of a folder on this machine is reached."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(".flink")
"""The folder of the local cluster, unless another is named."""

_FILE = "cluster.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """How a cluster is used.

    Attributes:
        flink_master: As ``--flink_master`` takes it.
        job_endpoint: As ``--job_endpoint`` takes it.
        worker_command: Starts a Python worker there (``--environment_type PROCESS``).
    """

    flink_master: str
    job_endpoint: str
    worker_command: str


def endpoints(folder: Path = FOLDER) -> Endpoints | None:
    """Those of the cluster in ``folder``, running or not; None if no cluster is there."""
    try:
        return Endpoints(**json.loads((folder / _FILE).read_text()))
    except FileNotFoundError:
        return None


def write_endpoints(folder: Path, cluster: Endpoints) -> None:
    """Make ``endpoints`` return ``cluster`` for ``folder``."""
    (folder / _FILE).write_text(json.dumps(asdict(cluster), indent=2) + "\n")


def forget_endpoints(folder: Path) -> None:
    """Make ``endpoints`` return None for ``folder``."""
    (folder / _FILE).unlink(missing_ok=True)
