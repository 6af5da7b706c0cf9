"""Read the interoperability files of Apache Avro and of Protobuf.

    python -m benchmarks.registry.interop --avro AVRO --protobuf PROTOBUF

The two are work trees of https://github.com/apache/avro and https://github.com/protocolbuffers/protobuf. Their
messages are put into Confluent's wire format and read as a pipeline reads them; what must be read is what those
projects' own READMEs, texts and tests say. It ends with an error where something else is read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.registry.interop import avro_files, protobuf_files
from benchmarks.registry.interop.checks import Check

_SHOWN = 500


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--avro", type=Path, required=True, help="a work tree of Apache Avro")
    parser.add_argument("--protobuf", type=Path, required=True, help="a work tree of Protobuf")
    flags = parser.parse_args()
    differ = report("Avro", avro_files.checks(flags.avro))
    differ += report("Protobuf", protobuf_files.checks(flags.protobuf))
    return 1 if differ else 0


def report(project: str, checks: Iterable[Check]) -> int:
    """Print what differs; returns how many checks do."""
    count = differ = 0
    for what, wanted, read in checks:
        count += 1
        if wanted != read:
            differ += 1
            print(f"{project}, {what}:\n  wanted {wanted!r:.{_SHOWN}}\n  read   {read!r:.{_SHOWN}}")
    print(f"{project}: {count} checks, {differ} differ")
    return differ


if __name__ == "__main__":
    sys.exit(main())
