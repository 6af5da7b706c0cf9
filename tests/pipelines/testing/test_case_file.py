"""From a file of cases to samples and expectations, and what is said of a file that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.testing.case_file import Case, ExpectedFailure, suite_of
from transforms.batch.record import Format
from transforms.errors import ConfigError


def cases(folder: Path, text: str) -> tuple[Case, ...]:
    path = folder / "a.test.yaml"
    path.write_text(text)
    return suite_of(path).cases


def one(folder: Path, case: str, head: str = "") -> Case:
    """The case of a file with one, written as the inside of ``{…}``."""
    return cases(folder, f"{head}\ncases:\n- {{name: n, {case}}}\n")[0]


def test_a_case_has_its_name_its_record_and_its_rows(tmp_path: Path) -> None:
    case = one(tmp_path, "input: {id: 1.50, at: no}, row: {id: 1}")
    assert (case.name, case.failure) == ("n", None)
    assert case.sample.raw == b'{"id":1.50,"at":"no"}'
    assert case.rows == {"": ({"id": 1},)}
    assert case.place.endswith("a.test.yaml:3:3")


def test_a_text_is_the_record_as_it_is(tmp_path: Path) -> None:
    case = one(tmp_path, "input: '{not JSON', rows: []")
    assert (case.sample.raw, case.rows) == (b"{not JSON", {"": ()})


def test_rows_and_a_failure_may_both_be_expected(tmp_path: Path) -> None:
    failure = "{stage: Ask, category: c, message: m, retried: true}"
    case = one(tmp_path, f"input: {{}}, rows: [{{a: 1.5}}, {{a: 2}}], failure: {failure}")
    assert case.rows == {"": ({"a": Decimal("1.5")}, {"a": 2})}
    assert case.failure == ExpectedFailure("Ask", "c", "m", retried=True)


@pytest.fixture
def routed(tmp_path: Path) -> str:
    """The head of a file whose records are routed."""
    (tmp_path / "shop.yaml").write_text("routes:\n- {table: orders, when: {field: type, is: o}}\n")
    return "routes: shop.yaml"


def test_with_routes_rows_are_expected_by_their_table(tmp_path: Path, routed: str) -> None:
    case = one(tmp_path, "input: {}, rows: {orders: [{a: 1}, {a: 2}], other: []}", routed)
    assert case.rows == {"orders": ({"a": 1}, {"a": 2}), "other": ()}
    assert one(tmp_path, "input: {}, row: {a: 1}, table: orders", routed).rows == {
        "orders": ({"a": 1},)
    }
    assert one(tmp_path, "input: {}, rows: []", routed).rows == {}
    failure = one(tmp_path, "input: {}, failure: {table: orders}", routed).failure
    assert failure == ExpectedFailure(table="orders")


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("input: {}, row: {a: 1}", "with routes, a row needs 'table'"),
        ("input: {}, rows: [{a: 1}]", "with routes, rows are lists of rows by their table"),
        ("input: {}, rows: {orders: {a: 1}}", "rows is a list of rows"),
        ("input: {}, rows: [], table: orders", "table says where"),
    ],
)
def test_rows_without_a_table_are_refused_with_routes(
    case: str, message: str, tmp_path: Path, routed: str
) -> None:
    with pytest.raises(ConfigError, match=f"a.test.yaml:3:[0-9]+: {message}"):
        one(tmp_path, case, routed)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("table: t", "table needs 'routes'"),
        ("routes: shop.yaml\nschema: s.json", "the schema is that of 'table', and there is none"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(
    head: str, message: str, tmp_path: Path, routed: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        one(tmp_path, "input: {}, rows: []", head)


def test_the_origin_may_be_given(tmp_path: Path) -> None:
    origin = (
        "source: 's3://b/dt=2026-01-01/a', partition: 4, offset: 7, key: k, headers: {h: v}, "
        "timestamp: '1970-01-01T00:01:00Z'"
    )
    sample = one(tmp_path, f"input: {{}}, row: {{}}, {origin}").sample
    assert (sample.source, sample.partition, sample.offset) == ("s3://b/dt=2026-01-01/a", "4", 7)
    assert (sample.key, sample.headers, sample.event_time) == (b"k", (("h", b"v"),), 60.0)


def test_fields_of_csv_are_written_under_their_columns(tmp_path: Path) -> None:
    head = "format: csv\ncolumns: [a, b, c]\ndelimiter: ;\nnulls: ['NULL']"
    case = one(tmp_path, "input: {c: 'x;\"y', a: 007}, row: {}", head)
    assert case.sample.raw == b'007;;"x;""y"'
    assert case.sample.format == Format("csv", ("a", "b", "c"), ";", nulls=("NULL",))


def test_fields_of_csv_without_columns_are_the_columns(tmp_path: Path) -> None:
    case = one(tmp_path, "input: {a: 1, b: x}, row: {}", "format: csv")
    assert (case.sample.raw, case.sample.format.columns) == (b"1,x", ("a", "b"))


def test_the_mapping_and_the_schema_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("- drop: [a]")
    (tmp_path / "s.json").write_text('{"type": "object"}')
    path = tmp_path / "a.test.yaml"
    path.write_text(
        "map: m.yaml\nschema: s.json\nrun: r\nnow: 2026-01-01\n"
        "cases: [{name: n, input: {}, row: {}}]"
    )
    trial = suite_of(path).trial
    assert trial.mapping is not None
    assert trial.mapping.reads == frozenset({"a"})
    assert trial.schema == '{"type": "object"}'
    assert (trial.run, trial.now) == ("r", datetime(2026, 1, 1, tzinfo=UTC))


def test_the_operations_may_stand_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.test.yaml"
    path.write_text("map: [{drop: [a]}]\ncases: [{name: n, input: {}, row: {}}]")
    mapping = suite_of(path).trial.mapping
    assert mapping is not None
    assert mapping.reads == frozenset({"a"})


def test_steps_are_those_of_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("def shout(record):\n    return record.with_value({'a': 'A'})\n")
    path = tmp_path / "a.test.yaml"
    path.write_text("steps: ['./s.py:shout']\ncases: [{name: n, input: {a: a}, row: {a: A}}]")
    suite = suite_of(path)
    assert suite.trial.outcome(suite.cases[0].sample).row == {"a": "A"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("map: []", "a.test.yaml:1:1: there are no cases: add 'cases:' and a list"),
        ("cases: x", "1:8: cases is a list of cases, got x"),
        ("cases: []", "1:8: cases is a list of cases, got a list"),
        ("mapp: m.yaml", "1:1: a file of cases has no key mapp; it has map, "),
        ("cases: [{input: {}, row: {}}]", "1:9: the case has no name"),
        ("cases: [{name: n, row: {}}]", "1:9: the case has no input"),
        ("cases: [{name: n, input: {}}]", "expects nothing: add row, rows, deleted or failure"),
        ("cases: [{name: n, input: {}, row: {}, rows: []}]", "1:39: give row or rows"),
        ("cases: [{name: n, input: {}, row: 1}]", "names to values, got 1"),
        ("cases: [{name: n, input: {}, rows: {}}]", "rows is a list of rows, got a mapping"),
        ("cases: [{name: n, input: {}, failure: {step: a}}]", "a failure has no key step"),
        ("cases: [{name: n, input: {}, failure: {retried: 1}}]", "retried is true or false, got 1"),
        ("cases: [{name: n, input: {}, row: {}, offset: -1}]", "a number from 0, got -1"),
        ("cases: [{name: n, input: {}, row: {}, timestamp: now}]", "2026-01-31T12:00:00Z, got now"),
        ("format: xml\ncases: [{name: n, input: {}, row: {}}]", "one of json, csv, text, got xml"),
        ("columns: [a]\ncases: [{name: n, input: {}, row: {}}]", "columns needs 'format: csv'"),
        ("format: csv\ncases: [{name: n, input: a, row: {}}]", "a line of CSV needs 'columns'"),
        (
            "format: csv\ncolumns: [a]\ncases: [{name: n, input: {b: 1}, row: {}}]",
            "3:27: b is not one of the columns",
        ),
        ("format: text\ncases: [{name: n, input: {}, row: {}}]", "the input is a text"),
        ("format: csv\ndelimiter: ab\ncases: [{name: n, input: {a: 1}, row: {}}]", "one character"),
        ("map: nowhere.yaml\ncases: [{name: n, input: {}, row: {}}]", "cannot read "),
        ("steps: [./no.py:f]\ncases: [{name: n, input: {}, row: {}}]", "1:8: --step "),
        ("map: [{dropp: [a]}]\ncases: [{name: n, input: {}, row: {}}]", "1:8: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        cases(tmp_path, text)
    assert message in str(error.value)


def test_what_surrounds_a_row_and_what_becomes_of_deletes_is_said_as_in_a_run(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.test.yaml"
    head = "envelope: debezium\nkey: '@key.id'\non_delete: mark:gone\n"
    head += "delete_when: {field: status, is: closed}\n"
    path.write_text(f"{head}cases: [{{name: n, input: null, key: {{id: 7}}, deleted: {{id: 7}}}}]")
    suite = suite_of(path)
    unwrap = suite.trial.unwrap
    assert (unwrap.envelope, unwrap.on_delete, unwrap.key) == ("debezium", "mark", ("id",))
    assert unwrap.condition() is not None
    (case,) = suite.cases
    assert (case.sample.raw, case.sample.key) == (b"", b'{"id":7}')
    assert (case.rows, case.deleted) == ({}, {"": ({"id": 7},)})


def test_deletes_are_expected_like_rows(tmp_path: Path, routed: str) -> None:
    listed = one(tmp_path, "input: {}, deleted: [{a: 1}, {a: 2}]")
    assert listed.deleted == {"": ({"a": 1}, {"a": 2})}
    of_table = one(tmp_path, "input: {}, deleted: {a: 1}, table: orders", routed)
    assert of_table.deleted == {"orders": ({"a": 1},)}
    by_table = one(tmp_path, "input: {}, deleted: {orders: [{a: 1}]}", routed)
    assert by_table.deleted == {"orders": ({"a": 1},)}
    with pytest.raises(ConfigError, match=r"a.test.yaml:3:[0-9]+: rows is a list of rows"):
        one(tmp_path, "input: {}, deleted: {a: 1}", routed)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("on_delete: erase", "1:1: --on_delete must be delete, mark:COLUMN, ignore or dead"),
        ("envelope: paper", "1:1: envelope must be none"),
        ("key: 'a,a'", "1:1: --key names a field twice"),
        ("delete_when: {field: a, is: 1}", "1:1: --delete_when: say what becomes of deletes"),
    ],
)
def test_what_cannot_be_said_of_changes_is_refused(head: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"a.test.yaml:{message}"):
        one(tmp_path, "input: {}, rows: []", head)
