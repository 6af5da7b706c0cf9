"""What a reader holds does not grow with the object."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

READ = """
import resource, sys
sys.path[:0] = ["io", "."]
from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger

files = FilesSource(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
records = failed = 0
for split in files.splits(MemoryLedger()):
    reader = files.open(split, (), MemoryLedger())
    done = False
    while not done:
        polled = reader.poll(1.0)
        records += sum(len(batch.raws) for batch in polled.batches)
        failed += sum(len(batch.failures) for batch in polled.batches)
        done = polled.done
    reader.close()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(records, failed, (after - before) // 1024)
"""

MOST_MIB = 100


def read(path: Path) -> tuple[int, int, int]:
    """Records, failures and growth in MiB of reading ``path`` in a process of its own."""
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        capture_output=True,
        text=True,
        cwd=root,
        check=True,
    )
    records, failed, grown = map(int, done.stdout.split())
    return records, failed, grown


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_single_line_of_200_mb_is_not_held(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(b'a\n"')
        file.truncate(200_000_000)  # zeros, as a sparse file
    records, failed, grown = read(path)
    assert (records, failed) == (1 if name == "a.jsonl" else 0, 1)
    assert grown < MOST_MIB


def test_an_element_of_200_mb_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.write(b'[{"n":1},"')
        file.truncate(200_000_000)
        file.seek(0, 2)
        file.write(b'",{"n":3}]')
    records, failed, grown = read(path)
    assert (records, failed) == (2, 1)
    assert grown < MOST_MIB


def test_an_array_of_200_mb_on_one_line_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    element = b'{"s":"%s"},' % (b"x" * 1_990)
    with path.open("wb") as file:
        file.write(b"[")
        for _ in range(100):
            file.write(element * 1_000)
        file.write(b'{"s":""}]')
    records, failed, grown = read(path)
    assert (records, failed) == (100_001, 0)
    assert grown < MOST_MIB


def test_300_mb_of_lines_are_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    chunk = b"".join(b'{"n":%d,"pad":"%s"}\n' % (n, b"x" * 170) for n in range(5_000))
    chunks = 300_000_000 // len(chunk) + 1
    with path.open("wb") as file:
        for _ in range(chunks):
            file.write(chunk)
    records, failed, grown = read(path)
    assert (records, failed) == (5_000 * chunks, 0)
    assert grown < MOST_MIB
