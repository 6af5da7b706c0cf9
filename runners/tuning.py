"""Settings of Python for large batches of small values, in whichever process they are read and written."""

from __future__ import annotations

import gc
import sys

_GC_THRESHOLD = 100_000
_SWITCH_SECONDS = 0.0005


def tune_process() -> None:
    """Collect garbage rarely, and hand the interpreter's lock on soon, in this process.

    Batches are acyclic, so the garbage collector finds little in them and has much to scan:
    collecting rarely gives a quarter more records a second (docs/performance.md).

    The thread that writes waits for the interpreter's lock after every answer of the database, by
    default 5 ms while the next batch is parsed. A commit has some ten answers for every table.
    """
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 100)
    sys.setswitchinterval(_SWITCH_SECONDS)
