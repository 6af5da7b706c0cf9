"""``pipelines.ingest`` with a step in which records with a fault fail, until that fault is repaired.

    python benchmarks/steering/faulty.py FOLDER OPTION...

A fault is repaired once FOLDER has a file of its name. Those that are ``late`` are to be tried again later, and
the others are dead. It is started as a file, so that the step travels to the workers by value.
"""

from __future__ import annotations

import os
import sys

from pipelines.ingest import ingest
from transforms.batch.record import Record
from transforms.errors import Reject, RetryLater
from transforms.steps.each_record import EachRecord

FOLDER = sys.argv.pop(1)


def check(record: Record) -> Record:
    """Let a record with a fault fail until that is repaired."""
    fault = record.value["fault"]
    if fault is None or os.path.exists(f"{FOLDER}/{fault}"):
        return record
    if fault == "late":
        raise RetryLater("not yet")
    raise Reject("not repaired", fault)


if __name__ == "__main__":
    sys.exit(ingest(steps=[EachRecord(check, "Check")]))
