"""The cases of ``sluice test``: a YAML or JSON file with records, and what is to become of them.

    map: customers.map.yaml
    cases:
      - name: an ordinary customer
        input: {Customer ID: "7"}
        row: {id: 7}
      - name: an id that is no number
        input: {Customer ID: seven}
        failure: {stage: map, message: Customer ID}

Paths are relative to the folder of the file. docs/testing.md describes every key.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.ingestion.configuring.change_flags import unwrap_of
from pipelines.ingestion.step_references import steps_of
from pipelines.testing.trial import SOURCE, Sample, Trial
from transforms.batch.record import Format
from transforms.envelope.config import UnwrapConfig
from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping as RecordMapping
from transforms.mapping.reading.document import Part, load
from transforms.parse.json_text import encode_json
from transforms.parse.validate import load_schema
from transforms.route.routes import Routes
from transforms.steps.each_record import EachRecord

FORMATS = ("json", "csv", "text")
RUN = "test"
MOST_CASES = 10_000

_SUITE = (
    *("map", "schema", "steps", "routes", "table", "format", "columns", "delimiter", "nulls"),
    *("envelope", "key", "on_delete", "delete_when", "now", "run", "cases"),
)
_CHANGES = ("envelope", "key", "on_delete", "delete_when")
_ORIGIN = ("source", "partition", "offset", "key", "headers", "timestamp")
_EXPECTED = ("row", "rows", "deleted", "failure")
_CASE = ("name", "input", *_ORIGIN, "table", *_EXPECTED)
_FAILURE = ("stage", "category", "message", "retried", "table")


@dataclass(frozen=True, slots=True)
class ExpectedFailure:
    """What a failure has to be; what is None may be anything.

    Attributes:
        stage: ``parse``, ``map``, ``validate`` or the label of a step.
        category: Its category.
        message: A part of its message.
        retried: Whether the record would be tried again.
        table: The table that its route sent it to.
    """

    stage: str | None = None
    category: str | None = None
    message: str | None = None
    retried: bool | None = None
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One record, and what is to become of it.

    Attributes:
        name: What the case is about.
        place: Where it is, for messages.
        sample: The record.
        rows: The values that are to be written, in order, by the table; where nothing is routed, all
            of them under an empty name.
        failure: How it is to fail; None if it is not.
        deleted: Fields of the rows that are to be deleted, or marked, as ``rows`` has them; other
            fields may be anything.
    """

    name: str
    place: str
    sample: Sample
    rows: Mapping[str, tuple[Any, ...]]
    failure: ExpectedFailure | None
    deleted: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one file, and the trial that runs them."""

    trial: Trial
    cases: tuple[Case, ...]


def suite_of(path: str | Path) -> Suite:
    """The suite in the file at ``path``.

    Raises:
        ConfigError: It says where, what is wrong, and what to do.
    """
    document = load(path)
    _check_keys(document, _SUITE, "a file of cases")
    folder = Path(path).parent
    fields = document.value
    cases = fields.get("cases")
    if cases is None:
        raise document.refused("there are no cases: add 'cases:' and a list")
    if not isinstance(cases.value, list) or not cases.value:
        raise cases.refused(f"cases is a list of cases, got {cases.kind}")
    if len(cases.value) > MOST_CASES:
        raise cases.refused(f"a file has at most {MOST_CASES:,} cases")
    if "table" in fields and "routes" not in fields:
        raise document.refused("table needs 'routes': it gets what matches none", "table")
    if "routes" in fields and "schema" in fields and "table" not in fields:
        raise document.refused(
            "with routes, the schema is that of 'table', and there is none", "schema"
        )
    read_as = _format_of(document)
    trial = Trial(
        mapping=_mapping_of(fields.get("map"), folder),
        schema=load_schema(folder / _text(fields["schema"])) if "schema" in fields else None,
        steps=_steps_of(fields["steps"], folder) if "steps" in fields else (),
        run=_text(fields["run"]) if "run" in fields else RUN,
        now=_instant(fields["now"]) if "now" in fields else None,
        routes=Routes.load(folder / _text(fields["routes"])) if "routes" in fields else None,
        table=_text(fields["table"]) if "table" in fields else "",
        unwrap=_unwrap_of(document),
    )
    routed = trial.routes is not None
    return Suite(trial, tuple(_case_of(part, read_as, routed=routed) for part in cases.value))


def _unwrap_of(document: Part) -> UnwrapConfig:
    """What surrounds a row, and what becomes of deletes: the flags of that name."""
    parts = {name: document.value[name] for name in _CHANGES if name in document.value}
    texts = {name: _text(part) for name, part in parts.items() if not isinstance(part.value, dict)}
    if (when := parts.get("delete_when")) is not None and isinstance(when.value, dict):
        texts["delete_when"] = encode_json(when.plain).decode()
    usual = {"envelope": "none", "key": "", "on_delete": "dead", "delete_when": ""}
    flags = argparse.Namespace(**{**usual, **texts, "table": "", "on_conflict": ""})
    try:
        return unwrap_of(flags)
    except ConfigError as error:
        at = next((name for name in reversed(_CHANGES) if name in parts and name in str(error)), "")
        raise document.refused(str(error), at) from error


def _steps_of(part: Part, folder: Path) -> tuple[EachRecord, ...]:
    """The steps of a list of references, whose files lie in the folder unless they are absolute."""
    references = [f"{folder / text}" if text.startswith(".") else text for text in _texts(part)]
    try:
        return steps_of(references, remote=False)
    except ConfigError as error:
        raise part.refused(str(error)) from error


def _mapping_of(part: Part | None, folder: Path) -> RecordMapping | None:
    if part is None:
        return None
    if isinstance(part.value, list):
        return RecordMapping.from_part(part)
    mapping: RecordMapping = RecordMapping.load(folder / _text(part))
    return mapping


def _format_of(document: Part) -> Format:
    fields = document.value
    part = fields.get("format")
    name = "json" if part is None else _text(part)
    if part is not None and name not in FORMATS:
        raise part.refused(f"format is one of {', '.join(FORMATS)}, got {part.kind}")
    for option in ("columns", "delimiter", "nulls"):
        if option in fields and name != "csv":
            raise document.refused(f"{option} needs 'format: csv'", option)
    return Format(
        name,
        columns=_texts(fields["columns"]) if "columns" in fields else (),
        delimiter=_delimiter(fields["delimiter"]) if "delimiter" in fields else ",",
        nulls=_texts(fields["nulls"]) if "nulls" in fields else (),
    )


def _case_of(part: Part, read_as: Format, *, routed: bool) -> Case:
    _check_keys(part, _CASE, "a case")
    fields = part.value
    for name in ("name", "input"):
        if name not in fields:
            raise part.refused(f"the case has no {name}")
    if not any(name in fields for name in _EXPECTED):
        raise part.refused("the case expects nothing: add row, rows, deleted or failure")
    if "row" in fields and "rows" in fields:
        raise part.refused("give row or rows", "rows")
    if routed and "row" in fields and "table" not in fields:
        raise part.refused("with routes, a row needs 'table', which gets it", "row")
    if "table" in fields and not (routed and ("row" in fields or "deleted" in fields)):
        raise part.refused(
            "table says where, with routes, the row of 'row' or of 'deleted' goes", "table"
        )
    return Case(
        name=_text(fields["name"]),
        place=part.place,
        sample=_sample_of(part, read_as),
        rows=_rows_of(fields, routed=routed),
        deleted=_deleted_of(fields, routed=routed),
        failure=_failure_of(fields["failure"]) if "failure" in fields else None,
    )


def _rows_of(fields: dict[str, Part], *, routed: bool) -> dict[str, tuple[Any, ...]]:
    if "row" in fields:
        table = _text(fields["table"]) if "table" in fields else ""
        return {table: (_fields(fields["row"]).plain,)}
    rows = fields.get("rows")
    if rows is None:
        return {}
    if not routed:
        return {"": _list_of(rows)}
    if isinstance(rows.value, list) and not rows.value:
        return {}
    if not isinstance(rows.value, dict):
        raise rows.refused(f"with routes, rows are lists of rows by their table, got {rows.kind}")
    return {table: _list_of(part) for table, part in rows.value.items()}


def _deleted_of(fields: dict[str, Part], *, routed: bool) -> dict[str, tuple[Any, ...]]:
    deleted = fields.get("deleted")
    if deleted is None:
        return {}
    if "table" in fields or not routed:
        table = _text(fields["table"]) if "table" in fields else ""
        listed = isinstance(deleted.value, list)
        return {table: _list_of(deleted) if listed else (_fields(deleted).plain,)}
    return {table: _list_of(part) for table, part in _fields(deleted).value.items()}


def _list_of(rows: Part) -> tuple[Any, ...]:
    if not isinstance(rows.value, list):
        raise rows.refused(f"rows is a list of rows, got {rows.kind}")
    return tuple(_fields(part).plain for part in rows.value)


def _failure_of(part: Part) -> ExpectedFailure:
    _check_keys(part, _FAILURE, "a failure")
    fields = part.value
    retried = fields.get("retried")
    if retried is not None and not isinstance(retried.value, bool):
        raise retried.refused(f"retried is true or false, got {retried.kind}")
    stage, category, message, table = (
        _text(fields[name]) if name in fields else None
        for name in ("stage", "category", "message", "table")
    )
    again = None if retried is None else retried.value
    return ExpectedFailure(stage, category, message, again, table)


def _sample_of(part: Part, read_as: Format) -> Sample:
    fields = part.value
    raw, as_written = _raw_of(fields["input"], read_as)
    key, headers, at = fields.get("key"), fields.get("headers"), fields.get("timestamp")
    offset = fields.get("offset")
    if offset is not None and (type(offset.value) is not int or offset.value < 0):
        raise offset.refused(f"an offset is a number from 0, got {offset.kind}")
    return Sample(
        raw=raw,
        format=as_written,
        source=_text(fields["source"]) if "source" in fields else SOURCE,
        partition=_text(fields["partition"]) if "partition" in fields else "0",
        offset=0 if offset is None else offset.value,
        key=None if key is None else _key_of(key),
        headers=()
        if headers is None
        else tuple((name, _text(held).encode()) for name, held in _fields(headers).value.items()),
        event_time=None if at is None else _instant(at).timestamp(),
    )


def _key_of(part: Part) -> bytes:
    """The key of a message: a text, or a mapping as JSON."""
    return encode_json(part.plain) if isinstance(part.value, dict) else _text(part).encode()


def _raw_of(part: Part, read_as: Format) -> tuple[bytes, Format]:
    """The bytes of a record, and how they are read: CSV without columns has those of the input.

    A message without a value has none.
    """
    if part.value is None:
        return b"", read_as
    if not isinstance(part.value, dict):
        if read_as.name == "csv" and not read_as.columns:
            raise part.refused("a line of CSV needs 'columns', the header, at the top of the file")
        return _text(part).encode(), read_as
    if read_as.name == "text":
        raise part.refused("with 'format: text' the input is a text")
    if read_as.name == "json":
        return encode_json(part.plain), read_as
    columns = read_as.columns or tuple(part.value)
    unknown = [name for name in part.value if name not in columns]
    if unknown:
        raise part.refused(f"{unknown[0]} is not one of the columns", unknown[0])
    cells = [part.value[name].text if name in part.value else "" for name in columns]
    line = io.StringIO()
    csv.writer(line, delimiter=read_as.delimiter, lineterminator="").writerow(cells)
    return line.getvalue().encode(), Format("csv", columns, read_as.delimiter, nulls=read_as.nulls)


def _check_keys(part: Part, allowed: Sequence[str], what: str) -> None:
    for name in _fields(part, what).value:
        if name not in allowed:
            raise part.refused(f"{what} has no key {name}; it has {', '.join(allowed)}", name)


def _fields(part: Part, what: str = "this") -> Part:
    if not isinstance(part.value, dict):
        raise part.refused(f"{what} must be a mapping of names to values, got {part.kind}")
    return part


def _text(part: Part) -> str:
    """A scalar as it is written."""
    if part.value is None or isinstance(part.value, dict | list):
        raise part.refused(f"this must be a text, got {part.kind}")
    return part.text


def _texts(part: Part) -> tuple[str, ...]:
    if not isinstance(part.value, list):
        raise part.refused(f"this must be a list of texts, got {part.kind}")
    return tuple(_text(each) for each in part.value)


def _delimiter(part: Part) -> str:
    text = _text(part)
    if len(text) != 1 or (not text.isprintable() and text != "\t"):
        raise part.refused(f"a delimiter is one character, got {part.kind}")
    return text


def _instant(part: Part) -> datetime:
    try:
        at = datetime.fromisoformat(_text(part))
    except ValueError:
        raise part.refused(
            f"this must be a time such as 2026-01-31T12:00:00Z, got {part.kind}"
        ) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
