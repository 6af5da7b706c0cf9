"""How many cores this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cpu_max: Path = _CPU_MAX) -> int:
    """How many cores this process may use: at least 1.

    These are the cores that the system lets it run on, or fewer if its container has a limit.

    Args:
        cpu_max: Where Linux shows the limit of a container (control groups version 2): ``QUOTA PERIOD`` in
            microseconds, or ``max PERIOD`` for none.
            https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    try:
        quota, _, period = cpu_max.read_text(encoding="ascii").partition(" ")
        limit = math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # none, or no limit
        return max(1, cores)
    return max(1, min(cores, limit))
