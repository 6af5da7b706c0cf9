"""Check values against a JSON Schema, and reject those that do not conform."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import jsonschema_rs
import msgspec

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.record import JSON, RecordBatch
from transforms.error_texts import stack_of
from transforms.errors import ConfigError, Reject
from transforms.parse.columns.columnar import Columnar
from transforms.parse.columns.conforming import (
    NO_CHECKS,
    FieldChecks,
    checked_columns,
    field_checks,
)
from transforms.parse.convert import column_types, convert
from transforms.parse.csv.cells import any_quoted_empty, quoted_fields
from transforms.parse.json_text import encode_json
from transforms.parse.patterns import MASK, Pattern, given_up, is_linear
from transforms.refused import refused
from transforms.steps.apply import apply_to_values

if TYPE_CHECKING:
    from jsonschema_rs import KeywordValidator

STAGE = "validate"
MAX_SCHEMA_BYTES = 4 << 20
MAX_ERRORS = 5
MAX_INSTANCE = 100
MAX_REASON = 300

_OUTSIDE = "a $ref must stay inside the schema"
_FALSE = "False schema does not allow "  # what jsonschema_rs says of a schema that is false

# A value in its JSON form: dates and UUIDs as text, bytes as base64, numbers unchanged.
plain = partial(msgspec.to_builtins, builtin_types=(Decimal,), str_keys=True)


class Validate(beam.PTransform):
    """Check every value of a ``RecordBatch`` against a JSON Schema, formats included.

    The draft is the one that ``$schema`` names, or 2020-12. The text of a CSV file is first
    converted to the types of the schema (``transforms.parse.convert``). A record that does not
    conform becomes a failure of stage ``validate``, category ``schema``; one with a text that a
    pattern takes too long to match, of category ``pattern_limit``.

    Args:
        schema: The schema's JSON text (``load_schema``), or None to let everything pass.

    Raises:
        ConfigError: The text is not a valid schema.
    """

    def __init__(self, schema: str | None) -> None:
        super().__init__()
        if schema is not None:
            compiled(schema)
        self._schema = schema

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        if self._schema is None:
            return batches
        return batches | "Check" >> beam.ParDo(_ValidateFn(self._schema)).with_input_types(
            RecordBatch
        ).with_output_types(RecordBatch)


def load_schema(path: str | Path) -> str:
    """The JSON Schema in the file at ``path``, checked.

    Raises:
        ConfigError: The file cannot be read, or is not a valid JSON Schema.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_SCHEMA_BYTES + 1)
        if len(raw) > MAX_SCHEMA_BYTES:
            raise ConfigError(f"schema {path} is longer than {MAX_SCHEMA_BYTES:,} bytes")
        schema = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read schema {path}: {reason}") from error
    try:
        compiled(schema)
    except ConfigError as error:
        raise ConfigError(f"schema {path}: {error}") from error
    return schema


@lru_cache(maxsize=1_000)  # one for each route; to compile a schema takes milliseconds
def compiled(schema: str) -> Any:
    """The validator of ``schema``, compiled once in each process.

    Nothing is fetched: a ``$ref`` to another document is an error.

    Raises:
        ConfigError: It is not a valid schema; the message is one line.
    """
    return validator_of(schema, _OPTIONS)


@lru_cache(maxsize=1_000)
def column_checks(schema: str | None) -> FieldChecks | None:
    """The checks of columns that ``schema`` comes to; None where records are to be looked at as a whole.

    Raises:
        ConfigError: It is not a valid schema.
    """
    if schema is None:
        return NO_CHECKS
    compiled(schema)
    document = document_of(schema)
    if not is_linear(document, **_OPTIONS):
        return None
    return field_checks(document, lambda part: validator_of(encode_json(part).decode(), _OPTIONS))


@lru_cache(maxsize=1_000)
def _lenient(schema: str) -> Any:
    """The validator of ``schema`` without what it requires of the record itself."""
    document = document_of(schema)
    if not isinstance(document, dict):
        return compiled(schema)
    rest = {name: part for name, part in document.items() if name != "required"}
    return compiled(encode_json(rest).decode())


def validator_of(schema: str, options: Mapping[str, Any]) -> Any:
    """The validator of ``schema``, compiled with these options of ``jsonschema_rs.validator_for``.

    Raises:
        ConfigError: It is not a valid schema; the message is one line.
    """
    document = document_of(schema)
    try:
        validator = jsonschema_rs.validator_for(document, **options)
        if not is_linear(document, **options):
            bounded: dict[str, type[KeywordValidator]] = {"pattern": Pattern}
            validator = jsonschema_rs.validator_for(document, keywords=bounded, **options)
        return validator
    except jsonschema_rs.ValidationError as error:
        message = _reason(error, document)
        if _OUTSIDE in message:
            message = f"{message.partition(' is not')[0]} is elsewhere: {_OUTSIDE}"
        raise ConfigError(f"not a valid JSON Schema: {message}") from error
    except jsonschema_rs.ReferencingError as error:
        raise ConfigError(f"not a valid JSON Schema: {_one_line(error)}") from error


def document_of(schema: str) -> Any:
    """The JSON of a JSON Schema, with exact numbers.

    Raises:
        ConfigError: It is none.
    """
    try:
        document = json.loads(schema, parse_float=Decimal, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ConfigError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise ConfigError("nested too deep") from error
    if not isinstance(document, dict | bool):  # jsonschema_rs would parse a text once more
        raise ConfigError("not a valid JSON Schema: it must be an object, or true or false")
    return document


def validate(batch: RecordBatch, schema: str) -> RecordBatch:
    """``batch`` with CSV text converted; the records that do not conform are its failures.

    Deletes pass as they are: they have their key, and what happens to be known of the row. A change that leaves
    columns as they are may lack those that the schema requires.

    Raises:
        ConfigError: The schema is not valid.
        ValueError: The batch has no values: it has not been parsed.
    """
    if batch.values is None:
        raise ValueError("Validate needs parsed records: put Parse before it")
    validator = compiled(schema)
    changes = batch.changes
    if changes is not None and any(change.delete or change.partial for change in changes):
        return _validated_rows(batch, schema)
    columns = batch.format.columns if batch.cells is None else None  # a mapping names them anew
    plan = column_types(schema, columns) if batch.format.name == "csv" else ()
    # Every Parquet row may hold dates and bytes; in other formats they are rare.
    typed = batch.format.name in ("parquet", "avro")
    in_vain = False  # whether the last one did not conform: the next one may be like it

    def one(value: Any) -> Any:
        nonlocal in_vain
        reasons = _reasons(validator, value, in_vain=in_vain)
        in_vain = reasons is not None
        return value if reasons is None else refused("schema", reasons, _place())

    if isinstance(batch.values, Columnar) and batch.format == JSON:
        checked = checked_columns(batch, batch.values, column_checks(schema), STAGE, one)
        if checked is not None:
            return checked

    def whole(values: Sequence[Any]) -> Sequence[Any] | None:
        forms = (plain, _zoned) if typed else (None,)
        try:
            conforms = any(
                all(map(validator.is_valid, values if form is None else map(form, values)))
                for form in forms
            )
            good = conforms and given_up() is None
        except (TypeError, ValueError):
            return None
        return values if good else None

    def converted(convert_one: Callable[[Any], Any], items: Sequence[Any]) -> Sequence[Any] | None:
        try:
            values = list(map(convert_one, items))
        except Reject:
            return None
        return whole(values)

    if plan and any_quoted_empty(batch.raws, batch.format):
        quoted = [quoted_fields(batch, index) for index in range(len(batch.raws))]
        return apply_to_values(
            batch,
            list(zip(batch.values, quoted, strict=True)),
            lambda item: one(convert(item[0], plan, item[1])),
            STAGE,
            lambda items: converted(lambda item: convert(item[0], plan, item[1]), items),
        )
    if plan:
        return apply_to_values(
            batch,
            batch.values,
            lambda value: one(convert(value, plan)),
            STAGE,
            lambda values: converted(lambda value: convert(value, plan), values),
        )
    return apply_to_values(batch, batch.values, one, STAGE, whole)


def _validated_rows(batch: RecordBatch, schema: str) -> RecordBatch:
    """``batch``, in which some are deletes or lack columns, with the others checked one by one."""
    assert batch.values is not None and batch.changes is not None  # noqa: PT018, S101 - asked before
    validator = compiled(schema)
    is_csv = batch.format.name == "csv"
    columns = batch.format.columns if batch.cells is None else None
    plan = column_types(schema, columns) if is_csv else ()

    def checked(index: int) -> Any:
        value = values[index]
        if plan:
            value = convert(value, plan, quoted_fields(batch, index))
        if not changes[index].delete:
            check(_lenient(schema) if changes[index].partial else validator, value)
        return value

    values, changes = batch.values, batch.changes
    return apply_to_values(batch, range(len(values)), checked, STAGE)


def check(validator: Any, value: Any) -> None:
    """Reject a value that does not conform.

    A time without a zone conforms if it does in UTC, in which every database session is; the
    formats ``date-time`` and ``time`` demand a zone.

    Raises:
        Reject: ``schema``, with up to five errors: JSON pointer, shortened value and reason.
            ``pattern_limit``, if a pattern was given up: the value may conform.
        TypeError: It holds something that JSON cannot express.
    """
    reasons = _reasons(validator, value)
    if reasons is not None:
        raise Reject(reasons, "schema")


@lru_cache(maxsize=1)
def _place() -> str:
    """Where ``check`` raises, as the stack of a failure says it."""
    try:
        check(jsonschema_rs.validator_for(False, mask=MASK), {})
    except Reject as error:
        return stack_of(error)
    raise AssertionError("nothing is allowed")


def _reasons(validator: Any, value: Any, *, in_vain: bool = False) -> str | None:
    """Why a value does not conform; None if it does. What it raises otherwise is as ``check`` says."""
    given_up()  # what other records noted
    try:
        errors = _errors(validator, instance := value, in_vain)
    except ValueError:  # a date, bytes, …: its JSON form is what must conform
        for instance in (plain(value), _zoned(value)):
            errors = _errors(validator, instance, in_vain)
            if errors is None:
                break
    if (noted := given_up()) is not None:
        raise Reject(
            f"pattern {_cut(noted[0], MAX_INSTANCE)} takes too long on text of {noted[1]:,} "
            "characters; whether it matches is not known",
            "pattern_limit",
        )
    if errors is None:
        return None
    reasons = [_reason(error, instance) for error in errors[:MAX_ERRORS]]
    return "; ".join(reasons + ["and more"] * (len(errors) > MAX_ERRORS))


def _errors(validator: Any, instance: Any, in_vain: bool) -> Sequence[Any] | None:
    """The first errors; None if it conforms. ``in_vain`` if it likely does not: that is quicker then."""
    if not in_vain and validator.is_valid(instance):
        return None
    errors = islice(validator.iter_errors(instance), MAX_ERRORS + 1)
    return list(errors) or (None if in_vain else [])


def _zoned(value: Any) -> Any:
    """The JSON form of ``value`` with the zone UTC for all times that have none."""
    return plain(_in_utc(value))


def _in_utc(value: Any) -> Any:
    kind = type(value)
    if kind is datetime or kind is time:
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if kind is dict:
        return {name: _in_utc(part) for name, part in value.items()}
    return list(map(_in_utc, value)) if kind is list else value


def _reason(error: Any, instance: Any) -> str:
    """One error as ``/pointer: value is not …``, without a pointer for the document itself."""
    pointer = ""
    for step in error.instance_path:
        instance = instance[step]
        pointer += "/" + str(step).replace("~", "~0").replace("/", "~1")
    message = _one_line(error.message).replace(_FALSE, "nothing is allowed here, but there is ")
    if MASK in message:
        message = message.replace(MASK, _cut(_written(instance), MAX_INSTANCE))
    return (f"{_cut(pointer, MAX_INSTANCE)}: " if pointer else "") + _cut(message, MAX_REASON)


def _written(instance: Any) -> str:
    """A value as JSON; what JSON does not have would be written as null."""
    if isinstance(instance, float) and not math.isfinite(instance):
        return f"{json.dumps(instance)} (not a number in JSON)"
    return encode_json(_with_names(instance)).decode()


def _with_names(instance: Any) -> Any:
    """``instance`` with the names of what is no number in JSON."""
    if isinstance(instance, float) and not math.isfinite(instance):
        return json.dumps(instance)
    if isinstance(instance, dict):
        return {name: _with_names(value) for name, value in instance.items()}
    if isinstance(instance, list):
        return list(map(_with_names, instance))
    return instance


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _refuse(uri: str) -> Any:
    """Called by jsonschema_rs to fetch another document; refuses."""
    raise ValueError(_OUTSIDE)


_OPTIONS: dict[str, Any] = {"validate_formats": True, "retriever": _refuse, "mask": MASK}


class _ValidateFn(beam.DoFn):
    def __init__(self, schema: str) -> None:
        self._schema = schema

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        with instruments.stage("validate"):
            return (validate(batch, self._schema),)
