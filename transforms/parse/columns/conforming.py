"""Check records that are kept column by column against a JSON Schema, a column at a time.

A schema of an object says of most records no more than what each field may be. Then a column is one array to
the validator, which takes a sixth of the time that it takes for the records. Where that cannot tell, a record
is in doubt: ``transforms.parse.validate`` looks at it as a whole, and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from transforms.batch.record import RecordBatch
from transforms.errors import Reject
from transforms.parse.columns.columnar import Columnar, pieces
from transforms.parse.json_text import decode_json, encode_json
from transforms.refused import Refused
from transforms.steps.apply import apply_to_values

DOUBTS_SHARE = 8
"""One of so many records may be in doubt where the others are checked column by column."""

_SAYS_NOTHING = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated")
)
_KNOWN = _SAYS_NOTHING | {"type", "required", "properties", "additionalProperties"}
_ELSEWHERE = (b'"$ref"', b'"$dynamicRef"', b'"$recursiveRef"', b'"$id"', b'"$schema"')
"""Words of a schema of a field by which it depends on what is elsewhere."""

_STARTS = {"object": "{", "array": "[", "string": '"', "boolean": "tf"}
"""How the JSON of each type starts."""

_CANNOT_TELL = (ValueError, TypeError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class _Field:
    """What a field may be.

    Attributes:
        schema: Its schema.
        kinds: The types that it allows; None for all.
        validator: The validator of a list of its values, of ``jsonschema_rs``.
    """

    schema: Any
    kinds: frozenset[str] | None
    validator: Any

    def allows(self, values: list[Any]) -> bool:
        """Whether all ``values`` conform.

        Raises:
            ValueError, TypeError: The validator cannot judge one of them.
        """
        return bool(self.validator.is_valid(values))


@dataclass(frozen=True, slots=True)
class FieldChecks:
    """What a schema says of each field by itself, which is all that it says.

    Attributes:
        required: The fields that a record must have.
        fields: By name, what the field may be.
        is_open: Whether a record may have other fields.
    """

    required: frozenset[str]
    fields: Mapping[str, _Field]
    is_open: bool

    def lacking(self, records: Columnar) -> bool:
        """Whether all records lack a field that they must have."""
        return not self.required <= records.columns.keys()

    def doubtful(self, records: Columnar) -> Sequence[int]:
        """The positions, ascending, of the records with a field of which it is not certain that it conforms."""
        if not (self.is_open or records.columns.keys() <= self.fields.keys()):
            return range(len(records))
        doubts: set[int] = set()
        for name, cells in records.columns.items():
            field = self.fields.get(name)
            if field is None or field.schema is True:  # it may be anything
                continue
            if name in records.texts:
                doubts.update(_doubtful(cells, field, _texts_conform))
            elif name in records.numbers:
                doubts.update(_doubtful(cells, field, _numbers_conform))
            elif name in records.written:
                return range(len(records))  # texts of numbers among texts
            else:
                doubts.update(_doubtful(cells, field, _values_conform))
        return sorted(doubts)


NO_CHECKS = FieldChecks(frozenset(), {}, is_open=True)
"""Every record conforms."""


def checked_columns(
    batch: RecordBatch,
    values: Columnar,
    checks: FieldChecks | None,
    stage: str,
    one: Callable[[Any], Any],
) -> RecordBatch | None:
    """``batch`` with its values still in columns, without those that do not conform.

    Args:
        batch: Parsed records.
        values: Its values.
        checks: What is asked of them.
        stage: Names the step in failures.
        one: Returns a value that conforms, or ``Refused``; or raises, as ``apply_to_values`` says.

    Returns:
        None where all records are to be looked at as a whole.
    """
    doubts = range(len(values)) if checks is None else checks.doubtful(values)
    if len(doubts) > len(values) // DOUBTS_SHARE:
        return None
    alike = None
    if checks is not None and checks.lacking(values):
        alike = _alike(values, doubts, one)
        if alike is None:
            return None
        doubtful, doubts = set(doubts), range(len(values))
    elif not doubts:
        return batch

    def at(index: int) -> Any:
        if alike is not None and index not in doubtful:
            return alike
        verdict = one(values[index])
        return verdict if type(verdict) is Refused else index

    looked_at = apply_to_values(batch.keep(doubts, None), doubts, at, stage)
    left_out = {*doubts}.difference(looked_at.values or ())
    good = [index for index in range(len(values)) if index not in left_out]
    return replace(batch.keep(good, values.picked(good)), failures=looked_at.failures)


def _alike(values: Columnar, doubts: Sequence[int], one: Callable[[Any], Any]) -> Refused | None:
    """What is said of all records but those in doubt, which only lack the same fields.

    None if that is not the same of the first and the last of them.
    """
    certain = sorted(set(range(len(values))).difference(doubts))
    if not certain:
        return None
    try:
        first, last = (one(values[certain[end]]) for end in (0, -1))
    except (Reject, *_CANNOT_TELL):
        return None
    return first if type(first) is Refused and first == last else None


def field_checks(document: Any, validator_of: Callable[[Any], Any]) -> FieldChecks | None:
    """The checks that ``document`` comes to; None where it says more than what each field may be.

    Args:
        document: A JSON Schema.
        validator_of: Makes the validator of another schema, in the same way as that of ``document``.
    """
    if type(document) is not dict or not document.keys() <= _KNOWN:
        return None
    parts = document.get("properties", {})
    text = encode_json(parts)
    if any(word in text for word in _ELSEWHERE):
        return None
    required, others = document.get("required", []), document.get("additionalProperties", True)
    if type(required) is not list or type(others) is not bool:
        return None
    if "object" not in (_kinds(document) or {"object"}):
        return None
    draft = {name: document[name] for name in ("$schema",) if name in document}
    fields = {
        name: _Field(
            True if type(part) is dict and part.keys() <= _SAYS_NOTHING else part,
            _kinds(part),
            validator_of({**draft, "type": "array", "items": part}),
        )
        for name, part in parts.items()
    }
    return FieldChecks(frozenset(required), fields, others)


def _kinds(schema: Any) -> frozenset[str] | None:
    """The types that ``schema`` names; None if it names none."""
    kinds = schema.get("type") if type(schema) is dict else None
    if kinds is None:
        return None
    return frozenset((kinds,) if type(kinds) is str else kinds)


def _doubtful(
    cells: Sequence[Any], field: _Field, conform: Callable[[Sequence[Any], _Field], bool]
) -> Sequence[int]:
    """The positions of the cells that do not conform, or cannot be judged."""
    doubts: list[int] = []
    start = 0
    for (chunk,) in pieces([cells], len(cells)):
        if not _certainly(chunk, field, conform):
            doubts += (
                position
                for position, cell in enumerate(chunk, start)
                if not _certainly((cell,), field, conform)
            )
        start += len(chunk)
    return doubts


def _certainly(
    cells: Sequence[Any], field: _Field, conform: Callable[[Sequence[Any], _Field], bool]
) -> bool:
    try:
        return conform(cells, field)
    except _CANNOT_TELL:
        return False


def _values_conform(cells: Sequence[Any], field: _Field) -> bool:
    return field.allows(list(cells))


def _texts_conform(texts: Sequence[Any], field: _Field) -> bool:
    """Whether values conform of which ``texts`` are the JSON, or None for null."""
    if field.kinds is not None and _SAYS_NOTHING | {"type"} >= field.schema.keys():
        starts = "".join(_STARTS.get(kind, "") for kind in field.kinds)
        some = _without_null(texts)
        is_null_fine = len(some) == len(texts) or "null" in field.kinds
        if is_null_fine and set(map(_first, some)) <= set(starts):
            return True
    return _decoded_conform(texts, field)


def _numbers_conform(texts: Sequence[Any], field: _Field) -> bool:
    """Whether numbers conform of which ``texts`` are the plain digits, or None for null."""
    kinds = field.kinds or frozenset(("number", "null"))
    if "number" not in kinds or not field.schema or not field.schema.keys() <= _BOUNDED:
        return _decoded_conform(texts, field)
    some = _without_null(texts)
    if (len(some) == len(texts) or "null" in kinds) and _are_within(some, field.schema):
        return True
    return _decoded_conform(texts, field)


_BOUNDED = _SAYS_NOTHING | {"type", "minimum", "maximum"}
_first = itemgetter(0)


def _are_within(texts: Sequence[str], schema: Mapping[str, Any]) -> bool:
    """Whether numbers are certainly within the bounds that ``schema`` has.

    Rounding to floats keeps their order, except that it may make two of them equal.
    """
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and least <= 0 and "-" not in "".join(texts):
        least = None
    if least is None and most is None:
        return True
    floats = list(map(float, texts))
    return not floats or (
        (least is None or min(floats) > float(least))
        and (most is None or max(floats) < float(most))
    )


def _without_null(texts: Sequence[Any]) -> Sequence[str]:
    return texts if None not in texts else [text for text in texts if text is not None]


def _decoded_conform(texts: Sequence[Any], field: _Field) -> bool:
    joined = ",".join("null" if text is None else text for text in texts)
    return field.allows(decode_json(f"[{joined}]".encode()))
