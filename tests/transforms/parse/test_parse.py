from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from examples.events import BREAKS, events
from tests.fakes import batch_of
from transforms.batch.record import Attempt, Claim, Format, RecordBatch
from transforms.errors import ConfigError
from transforms.parse.parse import Parse, ParseConfig, parse

CONFIG = ParseConfig()


class TestParseBatch:
    def test_every_broken_line_gets_its_category_and_no_good_one_is_hurt(self) -> None:
        lines = list(events(3_000, broken=0.05))
        parsed = parse(batch_of(*(line.raw for line in lines)), CONFIG)
        stage_of_parse = {name: category for name, (category, _) in BREAKS.items()}
        expected = {
            offset: stage_of_parse[line.broken]
            for offset, line in enumerate(lines)
            if line.broken is not None and stage_of_parse[line.broken] != "schema"
        }
        assert len(set(expected.values())) == 5
        assert {f.origin.offset: f.category for f in parsed.failures} == expected
        assert {f.origin.offset: f.raw for f in parsed.failures} == {
            offset: lines[offset].raw[:65_536] for offset in expected
        }
        for failure in parsed.failures:
            whole = len(lines[failure.origin.offset].raw) <= 65_536
            assert whole == (failure.exception != "RecordTooLarge")
        good = [offset for offset in range(3_000) if offset not in expected]
        assert parsed.offsets == good
        assert parsed.raws == [lines[offset].raw for offset in good]
        assert parsed.values is not None
        assert parsed.values == [json.loads(lines[i].raw, parse_float=Decimal) for i in good]
        assert {f.stage for f in parsed.failures} == {"parse"}
        assert not any(f.transient for f in parsed.failures)

    def test_of_a_record_that_is_too_large_the_head_and_the_hash_are_kept(self) -> None:
        raw = b'{"a":"' + b"x" * 2_000_000 + b'"}'
        (failure,) = parse(batch_of(raw), CONFIG).failures
        assert (failure.category, failure.exception) == ("too_large", "RecordTooLarge")
        assert failure.raw == raw[:65_536]
        assert f"{len(raw):,} bytes" in failure.message
        assert sha256(raw).hexdigest() in failure.message

    def test_the_bytes_of_a_job_are_never_cut(self) -> None:
        raw = b'{"a":"' + b"x" * 2_000_000 + b'"}'
        claim = Claim("c", {(0, None, ()): Attempt(1, 2, 3, "r")}, "p")
        (failure,) = parse(replace(batch_of(raw), claim=claim), CONFIG).failures
        assert (failure.raw, failure.exception) == (raw, "Reject")

    def test_a_clean_batch_shares_its_lists(self) -> None:
        batch = batch_of(b'{"a":1.50}', b"{}")
        parsed = parse(batch, CONFIG)
        assert parsed.values == [{"a": Decimal("1.50")}, {}]
        assert parsed.raws is batch.raws
        assert batch.values is None

    def test_csv_is_read_with_the_columns_of_its_file(self) -> None:
        batch = replace(batch_of(b"1;x", b"2", b"3;y"), format=Format("csv", ("n", "s"), ";"))
        parsed = parse(batch, CONFIG)
        assert parsed.values == [{"n": "1", "s": "x"}, {"n": "3", "s": "y"}]
        assert [f.category for f in parsed.failures] == ["column_count"]
        assert parsed.failures[0].format == batch.format

    def test_parquet_values_pass_as_the_reader_gave_them(self) -> None:
        batch = replace(batch_of(b"?"), format=Format("parquet"), values=[{"a": b"\x00"}])
        assert parse(batch, CONFIG) is batch

    def test_a_replayed_parquet_row_is_read_from_its_json(self) -> None:
        batch = replace(batch_of(b'{"a":1}', b"?"), format=Format("parquet"))
        parsed = parse(batch, CONFIG)
        assert parsed.values == [{"a": 1}]
        assert [f.category for f in parsed.failures] == ["malformed"]

    @pytest.mark.parametrize("name", ["json", "csv", "parquet"])
    def test_a_batch_may_be_empty(self, name: str) -> None:
        assert parse(replace(batch_of(), format=Format(name, ("a",))), CONFIG).values == []

    def test_an_unknown_format_is_the_readers_defect(self) -> None:
        with pytest.raises(ValueError, match="'xml'"):
            parse(replace(batch_of(b"1"), format=Format("xml")), CONFIG)

    def test_the_bounds_are_those_of_the_configuration(self) -> None:
        batch = batch_of(b'{"a":[[1]]}', b'{"a":[1]}', b'{"a":"' + b"x" * 50 + b'"}')
        parsed = parse(batch, ParseConfig(max_record_bytes=40, max_depth=2))
        assert parsed.values == [{"a": [1]}]
        assert [f.category for f in parsed.failures] == ["too_deep", "too_large"]


class TestParseConfig:
    @pytest.mark.parametrize("name", ["max_record_bytes", "max_depth"])
    def test_a_bound_is_at_least_one(self, name: str) -> None:
        with pytest.raises(ConfigError, match=f"{name} must be 1 or more, got 0"):
            ParseConfig(**{name: 0})  # type: ignore[arg-type]


class TestParse:
    def test_bad_records_ride_in_their_batch(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            parsed = pipeline | beam.Create([batch_of(b'{"a":1}', b"no", b'{"a":2}')]) | Parse()
            values = parsed | "V" >> beam.FlatMap(lambda batch: batch.values)
            failures = parsed | "F" >> beam.FlatMap(
                lambda batch: [(f.stage, f.category, f.raw) for f in batch.failures]
            )
            read = parsed | "R" >> beam.Map(lambda batch: batch.read)
            assert_that(values, equal_to([{"a": 1}, {"a": 2}]), label="values")
            assert_that(failures, equal_to([("parse", "malformed", b"no")]), label="failures")
            assert_that(read, equal_to([3]), label="read")
            assert parsed.element_type is RecordBatch
