"""Values of JSON files and their offsets are those that Python's ``json`` sees.

Briefly here; ``make fuzz`` tries many more documents.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from sources.files.encodings import marked_encoding
from sources.files.json.array import ArrayFramer
from sources.files.json.layout import ARRAY, LINES, SEQUENCE, Layout, layout_of
from sources.files.json.options import JsonOptions
from sources.files.json.sequence import SequenceFramer
from sources.files.magic import compression_of
from sources.files.source import FilesSource
from tests.fuzz.json_documents import Text, arrays, cut, objects, sequences, wrapped, written
from tests.io.sources.reading import MemoryLedger, failures, located, read_all, read_split
from transforms.batch.splits import BatchLimits

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "30"))
BRIEFLY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
LIMIT = 1 << 20
cuts = st.lists(st.integers(1, 200), max_size=5)


@BRIEFLY
@given(text=arrays(), cuts=cuts)
def test_elements_of_an_array_are_those_of_raw_decode(text: Text, cuts: list[int]) -> None:
    assert cut(ArrayFramer(0, (), LIMIT, "a.json"), text.data, *cuts) == text.records
    every = range(len(text.data))
    assert cut(ArrayFramer(0, (), LIMIT, "a.json"), text.data, *every) == text.records


@BRIEFLY
@given(document=wrapped(), cuts=cuts)
def test_elements_of_a_wrapped_array_are_those_of_raw_decode(
    document: tuple[Text, tuple[str, ...]], cuts: list[int]
) -> None:
    text, path = document
    assert cut(ArrayFramer(0, path, LIMIT, "a.json"), text.data, *cuts) == text.records
    every = range(len(text.data))
    assert cut(ArrayFramer(0, path, LIMIT, "a.json"), text.data, *every) == text.records


@BRIEFLY
@given(text=sequences(), cuts=cuts)
def test_values_of_a_sequence_are_those_of_raw_decode(text: Text, cuts: list[int]) -> None:
    assert cut(SequenceFramer(0, LIMIT, "a.json"), text.data, *cuts) == text.records
    every = range(len(text.data))
    assert cut(SequenceFramer(0, LIMIT, "a.json"), text.data, *every) == text.records


def killed_and_read_on(files: FilesSource, draw: st.DataObject) -> list[tuple[int, bytes]]:
    """What two runs bring, of which the first is killed after any of its commits."""
    (split,) = files.splits(MemoryLedger())
    first = read_split(files, split)
    ledger = MemoryLedger()
    committed = first[: draw.draw(st.integers(0, len(first)))]
    ledger.settle(committed)
    again = read_all(files, ledger)
    assert failures([*first, *again]) == []
    assert list(files.splits(ledger)) == []
    assert all(coverage.complete for coverage in ledger.coverages.values())
    return located([*committed, *again])


@BRIEFLY
@given(
    document=arrays().map(lambda text: (text, ARRAY))
    | sequences().map(lambda text: (text, SEQUENCE))
    | wrapped().map(lambda both: (both[0], Layout("array", both[1]))),
    zipped=st.booleans(),
    records=st.integers(1, 3),
    data=st.data(),
)
def test_a_killed_run_and_the_next_one_bring_each_value_once(
    tmp_path: Path,
    document: tuple[Text, Layout],
    zipped: bool,
    records: int,
    data: st.DataObject,
) -> None:
    text, layout = document
    path = tmp_path / ("a.json.gz" if zipped else "a.json")
    path.write_bytes(gzip.compress(text.data) if zipped else text.data)
    options = JsonOptions("array" if layout.path else layout.kind, layout.path)
    files = FilesSource(str(path), json=options, limits=BatchLimits(records=records))
    assert killed_and_read_on(files, data) == text.records


@BRIEFLY
@given(text=arrays(objects), records=st.integers(1, 3), data=st.data())
def test_an_array_of_objects_is_detected(
    tmp_path: Path, text: Text, records: int, data: st.DataObject
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.data)
    files = FilesSource(str(path), limits=BatchLimits(records=records))
    assert killed_and_read_on(files, data) == text.records


@BRIEFLY
@given(
    values=st.lists(objects.map(json.dumps), min_size=1),
    ends=st.sampled_from(["\n", "\r\n", "\n\n"]),
    last=st.booleans(),
)
def test_json_lines_stay_lines(values: list[str], ends: str, last: bool) -> None:
    text = ends.join(values) + (ends if last else "")
    assert layout_of(text.encode(), whole=True) == LINES
    for head in range(len(text)):
        assert layout_of(text.encode()[:head], whole=False) in (LINES, None)


@BRIEFLY
@given(data=st.binary(max_size=60) | st.text('[]{}",:\\ \n1a\x1e', max_size=60).map(str.encode))
@example(data=b"PK\x03\x04")
def test_whatever_is_read_has_an_end_and_no_byte_twice(tmp_path: Path, data: bytes) -> None:
    # Otherwise offsets are not those of the stored bytes.
    assume(not (marked_encoding(data) or compression_of(data)))
    path = tmp_path / "a.json"
    path.write_bytes(data)
    for options in (JsonOptions(), *map(JsonOptions, ("array", "sequence"))):
        batches = read_all(FilesSource(str(path), json=options, limits=BatchLimits(records=1)))
        assert batches[-1].span.end == len(data)
        end = 0
        for offset, raw in located(batches):
            assert end <= offset
            end = offset + len(raw)
            assert data[offset:end] == raw or offset == 0  # of lines, without the mark


@BRIEFLY
@given(text=arrays(objects), at=st.integers(0, 400))
def test_of_an_array_that_is_cut_off_all_whole_elements_are_read(
    tmp_path: Path, text: Text, at: int
) -> None:
    data = text.data.rstrip()
    at = min(at, len(data) - 1)
    path = tmp_path / "a.json"
    path.write_bytes(data[:at])
    files = FilesSource(str(path), json=JsonOptions("array"), limits=BatchLimits(records=2))
    batches = read_all(files)
    whole = [(offset, raw) for offset, raw in text.records if offset + len(raw) <= at]
    assert located(batches) == whole
    begun = bool(data[:at].removeprefix(b"\xef\xbb\xbf").strip())
    assert len(failures(batches)) == begun


@BRIEFLY
@given(value=objects.flatmap(lambda value: st.tuples(st.just(value), written(value))))
def test_what_is_cut_is_the_value(value: tuple[object, str]) -> None:
    (record,) = cut(SequenceFramer(0, LIMIT, "a.json"), value[1].encode())
    assert json.loads(record[1]) == value[0]
