from __future__ import annotations

import datetime
import json
import pickle
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from examples.events import COLUMNS, SCHEMA, csv_line, events
from tests.fakes import batch_of
from transforms.batch.record import Format, RecordBatch
from transforms.errors import ConfigError, Reject
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.validate import Validate, check, compiled, load_schema, validate
from transforms.steps.apply import apply_to_values

EVENTS = json.dumps(SCHEMA)


def batch_with(*values: Any) -> RecordBatch:
    return replace(batch_of(*(b"%d" % i for i in range(len(values)))), values=list(values))


def conforms(schema: Any, value: Any) -> bool:
    validated = validate(batch_with(value), json.dumps(schema))
    assert validated.read == 1
    assert {failure.category for failure in validated.failures} <= {"schema"}
    return not validated.failures


def rejection(schema: Any, value: Any) -> str:
    with pytest.raises(Reject) as caught:
        check(compiled(json.dumps(schema)), value)
    assert caught.value.category == "schema"
    return str(caught.value)


class TestValidateBatch:
    def test_only_what_does_not_conform_leaves(self) -> None:
        lines = list(events(3_000, broken=0.05))
        parsed = parse(batch_of(*(line.raw for line in lines)), ParseConfig())
        validated = validate(parsed, EVENTS)
        by_schema = {"missing_field", "wrong_type", "not_in_enum", "bad_uuid", "unknown_field"}
        expected = [offset for offset, line in enumerate(lines) if line.broken in by_schema]
        failed = [f for f in validated.failures if f.stage == "validate"]
        assert len(expected) > 20
        assert [f.origin.offset for f in failed] == expected
        assert {f.category for f in failed} == {"schema"}
        assert validated.failures[: len(parsed.failures)] == parsed.failures
        assert validated.read == 3_000
        assert list(validated.offsets) == [i for i, line in enumerate(lines) if line.broken is None]

    def test_a_failure_is_that_of_the_exception_that_is_not_raised(self) -> None:
        schema = json.dumps(
            {"required": ["a"], "properties": {"a": {"enum": [1, "é"]}, "b": {"type": "string"}}}
        )
        values = [{}, {"a": 2, "b": 3}, {"a": "x" * 900}, {"a": "password=word"}, {"a": 1}, 7]
        batch = batch_with(*values)
        validator = compiled(schema)
        expected = apply_to_values(batch, values, lambda one: check(validator, one), "validate")
        assert len(expected.failures) == 4
        assert validate(batch, schema).failures == expected.failures

    def test_a_clean_batch_shares_its_lists(self) -> None:
        batch = batch_with({"n": 1})
        validated = validate(batch, '{"properties":{"n":{"type":"integer"}}}')
        assert validated.raws is batch.raws
        assert validated.values == batch.values

    def test_an_unparsed_batch_is_a_defect_of_the_pipeline(self) -> None:
        with pytest.raises(ValueError, match="put Parse before it"):
            validate(batch_of(b"{}"), "true")

    def test_csv_text_is_converted_before_it_is_checked(self) -> None:
        columns = {name: SCHEMA["properties"][name] for name in COLUMNS}  # type: ignore[index]
        schema = json.dumps({**SCHEMA, "properties": columns})
        line = next(events(1))
        event = json.loads(line.raw, parse_float=Decimal)
        rows = (csv_line(line.raw), b"x," + csv_line(line.raw).split(b",", 1)[1])
        batch = replace(batch_of(*rows), format=Format("csv", COLUMNS))
        validated = validate(parse(batch, ParseConfig()), schema)
        assert validated.values == [{name: event[name] for name in COLUMNS}]
        (failure,) = validated.failures
        assert failure.message == '/event_id: "x" is not a "uuid"'

    def test_an_empty_csv_field_is_missing(self) -> None:
        schema = {"required": ["n"], "properties": {"n": {"type": "integer"}}}
        batch = replace(batch_with({"n": "1"}, {"n": ""}, {"n": "x"}), format=Format("csv", ("n",)))
        validated = validate(batch, json.dumps(schema))
        assert validated.values == [{"n": 1}]
        assert [failure.message for failure in validated.failures] == [
            '"n" is a required property',
            '/n: "x" is not of type "integer"',
        ]

    def test_what_is_no_number_in_json_is_called_by_its_name_within_a_value_too(self) -> None:
        schema = '{"properties": {"a": {"type": "null"}, "o": {"properties": {"k": false}}}}'
        nan, infinite = float("nan"), float("-inf")
        batch = replace(
            batch_with({"a": {"x": [nan, 1, None]}}, {"o": {"k": infinite}}),
            format=Format("parquet"),
        )
        assert [failure.message for failure in validate(batch, schema).failures] == [
            '/a: {"x":["NaN",1,null]} is not of type "null"',
            "/o/k: nothing is allowed here, but there is -Infinity (not a number in JSON)",
        ]

    def test_a_clean_csv_batch_is_converted_too(self) -> None:
        schema = {"properties": {"s": {"type": ["string", "null"]}, "n": {"type": "integer"}}}
        batch = replace(batch_with({"s": "", "n": "7"}), format=Format("csv", ("s", "n")))
        assert validate(batch, json.dumps(schema)).values == [{"s": None, "n": 7}]
        only_text = replace(batch_with({"s": ""}), format=Format("csv", ("s",)))
        assert validate(only_text, json.dumps(schema)).values == [{"s": None}]

    def test_json_text_is_never_converted(self) -> None:
        assert not conforms({"properties": {"n": {"type": "integer"}}}, {"n": "1"})

    @pytest.mark.parametrize("format_name", ["json", "parquet"])
    def test_what_json_has_no_form_for_conforms_as_it_would_be_written(
        self, format_name: str
    ) -> None:
        value = {
            "at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
            "on": datetime.date(2026, 1, 1),
            "id": uuid.UUID(int=1),
            "raw": b"\x00\xff",
            "cents": Decimal("1.50"),
        }
        schema = {
            "properties": {
                "at": {"type": "string", "format": "date-time"},
                "on": {"type": "string", "format": "date"},
                "id": {"type": "string", "format": "uuid"},
                "raw": {"type": "string"},
                "cents": {"type": "number"},
            }
        }
        batch = replace(batch_with(value, {**value, "on": "never"}), format=Format(format_name))
        validated = validate(batch, json.dumps(schema))
        assert validated.values == [value]
        assert [failure.message for failure in validated.failures] == [
            '/on: "never" is not a "date"'
        ]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("date-time", datetime.datetime(2026, 1, 1, 12)),
            ("date-time", datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)),
            ("time", datetime.time(12, 30, 1, 5)),
        ],
    )
    @pytest.mark.parametrize("nested", [False, True])
    def test_a_time_of_parquet_without_a_zone_has_the_format_of_a_time(
        self, name: str, value: Any, nested: bool
    ) -> None:
        property_: Any = {"type": "string", "format": name}
        if nested:
            property_ = {"type": "array", "items": property_}
        schema = json.dumps({"properties": {"t": property_, "n": {"type": "integer"}}})
        rows = [{"t": [value] if nested else value, "n": n} for n in (1, "x")]
        batch = replace(batch_of(b"", b""), format=Format("parquet"), values=rows)
        checked = validate(batch, schema)
        assert checked.values == rows[:1]
        (failure,) = checked.failures
        assert failure.message.startswith("/n: ")

    def test_a_value_without_any_json_form_is_the_records_failure(self) -> None:
        schema = '{"properties": {"n": {"type": "integer"}}}'
        validated = validate(batch_with({"n": object()}, {"n": 1}), schema)
        assert validated.values == [{"n": 1}]
        assert [failure.category for failure in validated.failures] == ["exception"]


class TestNumbers:
    @pytest.mark.parametrize(
        ("schema", "value", "ok"),
        [
            ({"type": "integer"}, Decimal("1.0"), True),
            ({"type": "integer"}, Decimal("1e3"), True),
            ({"type": "integer"}, Decimal("1.5"), False),
            ({"type": "integer"}, 10**30, True),
            ({"type": "number"}, Decimal("1.5"), True),
            ({"type": "string"}, Decimal("1.5"), False),
            ({"type": "number"}, float("nan"), False),
            ({"multipleOf": 0.01}, Decimal("821.27"), True),
            ({"multipleOf": 0.01}, Decimal("19.99"), True),
            ({"multipleOf": 0.01}, Decimal("821.275"), False),
            ({"multipleOf": 3}, 3 * 10**30, True),
            ({"multipleOf": 3}, 3 * 10**30 + 1, False),
            ({"minimum": 0}, Decimal("-1e-9999"), False),
            ({"maximum": 0.3}, Decimal("0.30000000000000000001"), False),
            ({"maximum": 9007199254740993}, 9007199254740994, False),
            ({"maximum": 10**30}, 10**30, True),
            ({"maximum": 10**30}, 10**30 + 1, False),
            ({"enum": [0.1]}, Decimal("0.10"), True),
            ({"const": 1}, Decimal("1.0"), True),
        ],
    )
    def test_numbers_are_compared_exactly(self, schema: Any, value: Any, ok: bool) -> None:
        assert conforms(schema, value) is ok

    def test_the_schemas_own_numbers_are_exact(self) -> None:
        validator = compiled('{"maximum": 0.12345678901234567890123}')
        assert validator.is_valid(Decimal("0.12345678901234567890123"))
        assert not validator.is_valid(Decimal("0.12345678901234567890124"))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("uuid", "6513270e-269e-4d37-b2a7-4de452e6b438", "6513270e"),
        ("date-time", "2026-01-01T00:00:00Z", "2026-13-01T00:00:00Z"),
        ("date", "2024-02-29", "2026-02-29"),
        ("time", "23:59:59Z", "25:00:00Z"),
        ("email", "a@example.org", "a@"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
    ],
)
def test_formats_are_checked(name: str, good: str, bad: str) -> None:
    assert conforms({"format": name}, good)
    assert not conforms({"format": name}, bad)


class TestMessage:
    def test_it_has_pointer_value_and_reason_of_each_error(self) -> None:
        schema = {
            "required": ["id"],
            "additionalProperties": False,
            "properties": {
                "n": {"type": "integer"},
                "tags": {"items": {"maxLength": 2}},
                "a/b~c": {"type": "null"},
            },
        }
        value = {"n": "x", "tags": ["ok", "long"], "a/b~c": Decimal("1.50")}
        assert set(rejection(schema, value).split("; ")) == {
            '/n: "x" is not of type "integer"',
            '/tags/1: "long" is longer than 2 characters',
            '/a~1b~0c: 1.50 is not of type "null"',
            '"id" is a required property',
        }

    def test_it_names_five_errors_and_says_that_there_are_more(self) -> None:
        message = rejection({"items": {"type": "null"}}, list(range(9)))
        assert message.split("; ") == [
            *(f'/{i}: {i} is not of type "null"' for i in range(5)),
            "and more",
        ]

    def test_it_is_bounded_whatever_the_record_holds(self) -> None:
        key = "k" * 10_000
        value = {key: ["v" * 10_000] * 20, "\n": 1}
        schema = {
            "properties": {key: {"items": {"type": "integer"}}},
            "additionalProperties": False,
        }
        message = rejection(schema, value)
        assert len(message) < 2_500
        assert "\n" not in message
        assert "v" * 98 + "…" in message
        assert "v" * 101 not in message

    def test_a_long_value_is_cut_before_the_reason(self) -> None:
        assert rejection({"type": "integer"}, "v" * 500).endswith('… is not of type "integer"')


class TestSchema:
    def write(self, folder: Path, text: str) -> Path:
        path = folder / "schema.json"
        path.write_text(text)
        return path

    def test_its_text_is_returned(self, tmp_path: Path) -> None:
        assert load_schema(self.write(tmp_path, EVENTS)) == EVENTS

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "not JSON"),
            ("{", "not JSON"),
            ('{"maximum": NaN}', "NaN is not a JSON number"),
            ("[]", "not a valid JSON Schema"),
            ('{"properties": {"a": {"type": "wat"}}}', '/properties/a/type: "wat" is not valid'),
            ('{"pattern": "("}', "regex"),
            ('{"$ref": "#/nope"}', "/nope"),
            ('{"$ref": "http://x/y"}', "Resource 'http://x/y' is elsewhere: a $ref must stay"),
            ('"x"', "it must be an object, or true or false"),
            ("null", "it must be an object, or true or false"),
            ('{"$schema": "http://json-schema.org/draft-03/schema#"}', "draft-03"),
            ("[" * 100_000, "nested too deep"),
        ],
    )
    def test_an_invalid_one_is_refused_in_one_line(
        self, tmp_path: Path, text: str, reason: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            load_schema(self.write(tmp_path, text))
        message = str(caught.value)
        assert reason in message
        assert "schema.json" in message
        assert "\n" not in message
        assert len(message) < 600

    @pytest.mark.parametrize(
        "path", ["missing.json", ".", "bad\0name.json"], ids=["missing", "folder", "no name"]
    )
    def test_an_unreadable_file_is_refused(self, tmp_path: Path, path: str) -> None:
        with pytest.raises(ConfigError, match="cannot read schema"):
            load_schema(f"{tmp_path}/{path}")

    def test_an_endless_file_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="longer than"):
            load_schema("/dev/zero")

    def test_a_byte_order_mark_is_allowed(self, tmp_path: Path) -> None:
        assert load_schema(self.write(tmp_path, "\ufefftrue")) == "true"

    def test_the_published_draft_may_be_referred_to(self) -> None:
        validator = compiled('{"$ref": "https://json-schema.org/draft/2020-12/schema"}')
        assert validator.is_valid({"type": "integer"})
        assert not validator.is_valid({"type": "wat"})

    def test_it_is_compiled_once_a_process(self) -> None:
        assert compiled(EVENTS) is compiled(EVENTS)

    def test_the_transform_refuses_an_invalid_one_when_it_is_made(self) -> None:
        with pytest.raises(ConfigError):
            Validate('{"type": "wat"}')


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bool]]]:
    """A port, and a list that grows with each connection to it."""
    connected: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    server.accept()[0].close()
                    connected.append(True)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], connected
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:PORT/x.json"},
        {"properties": {"a": {"items": {"$ref": "http://127.0.0.1:PORT/x.json#/a"}}}},
        {"$id": "http://127.0.0.1:PORT/", "$ref": "x.json"},
        {"$id": "http://127.0.0.1:PORT/", "$dynamicRef": "x.json"},
        {"$schema": "http://127.0.0.1:PORT/meta"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "http://127.0.0.1:PORT/"},
    ],
)
def test_a_schema_cannot_make_the_program_connect(
    schema: Any, listener: tuple[int, list[bool]]
) -> None:
    port, connected = listener
    with pytest.raises(ConfigError):
        compiled(json.dumps(schema).replace("PORT", str(port)))
    socket.create_connection(("127.0.0.1", port), timeout=10).close()
    deadline = time.monotonic() + 10
    while not connected and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(connected) == 1, "only this test's own connection arrived"


def test_a_schema_cannot_read_another_file(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"type": "integer"}')
    for reference in (other.as_uri(), "other.json"):
        with pytest.raises(ConfigError):
            compiled(json.dumps({"$ref": reference}))


class TestValidate:
    def test_what_does_not_conform_rides_in_its_batch(self) -> None:
        schema = '{"properties": {"n": {"type": "integer"}}}'
        batch = batch_with({"n": 1}, {"n": "two"})
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            validated = pipeline | beam.Create([batch]) | Validate(schema)
            values = validated | "V" >> beam.FlatMap(lambda batch: batch.values)
            failures = validated | "F" >> beam.FlatMap(
                lambda batch: [(f.stage, f.category, f.message) for f in batch.failures]
            )
            assert_that(values, equal_to([{"n": 1}]), label="values")
            assert_that(
                failures,
                equal_to([("validate", "schema", '/n: "two" is not of type "integer"')]),
                label="failures",
            )
            assert validated.element_type is RecordBatch

    def test_without_a_schema_everything_passes(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            validated = pipeline | beam.Create([batch_with({"n": 1})]) | Validate(None)
            values = validated | beam.FlatMap(lambda batch: batch.values)
            assert_that(values, equal_to([{"n": 1}]))

    def test_it_travels_as_text(self) -> None:
        assert b"jsonschema_rs" not in pickle.dumps(Validate(EVENTS))
