"""How batches, records, failures and splits travel between processes.

Every form starts with a version byte (2 where there are expansions, 3 where there are targets, 4 where there
are decoded keys and 5 where there are change events, which earlier programs do not know, otherwise 1), is deterministic (the bytes of a split are its state key
on Flink) and holds plain values only: nothing is ever unpickled. Importing this module registers
the coders for their types.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apache_beam import coders

from transforms.batch import plain
from transforms.batch.backoff import Backoff
from transforms.batch.content import content_from
from transforms.batch.expansion import Expansion, expansion_of, text_of
from transforms.batch.record import (
    Attempt,
    Change,
    Claim,
    Failure,
    Format,
    Headers,
    Origin,
    Record,
    RecordBatch,
    Span,
)
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import Split

VERSION = 1
EXPANDED = 2
"""The version of what has expansions; there the bytes that several records share are coded once."""

ROUTED = 3
"""The version of what has targets; a batch is otherwise as in ``EXPANDED``."""

KEYED = 4
"""The version of a batch with decoded keys: the bytes of the same batch without them, and they."""

CHANGED = 5
"""The version of what has change events; a batch is otherwise as in ``ROUTED``."""


class RecordBatchCoder(coders.Coder):
    """Codes a ``RecordBatch``.

    Raises:
        TypeError: A value is not plain data (``transforms.batch.plain``).
        ValueError: The bytes have another version, or are damaged.
    """

    def encode(self, value: RecordBatch) -> bytes:
        if value.key_values is not None:
            keys = list(value.key_values)
            return _encode([self.encode(replace(value, key_values=None)), keys], KEYED)
        expanded = value.expansions is not None or any(f.origin.expansion for f in value.failures)
        routed = _is_routed(value)
        if value.changes is not None:
            return self._encode_expanded(value, CHANGED)
        if expanded or routed or value.cells is not None:
            return self._encode_expanded(value, ROUTED if routed else EXPANDED)
        raws = list(value.raws)
        return _encode(_batch_to(value, raws, list(map(_failure_to, value.failures))))

    def _encode_expanded(self, value: RecordBatch, version: int) -> bytes:
        numbers: dict[bytes, int] = {}
        raws = [numbers.setdefault(raw, len(numbers)) for raw in value.raws]
        failures = [
            _failure_to(failure, numbers.setdefault(failure.raw, len(numbers)))
            for failure in value.failures
        ]
        fields = _batch_to(value, raws, failures)
        further: list[Any] = [
            None if value.elements is None else list(value.elements),
            None if value.expansions is None else list(map(text_of, value.expansions)),
            None if value.ahead is None else list(value.ahead),
            list(numbers),
        ]
        cells = None if value.cells is None else dict(value.cells)
        if version >= ROUTED:
            further += [cells, *_targets_to(value)]
            further += [list(map(list, value.changes))] if value.changes is not None else []
        elif cells is not None:
            further.append(cells)
        return _encode([*fields[:_SINGLE], *further], version)

    def decode(self, encoded: bytes) -> RecordBatch:
        if encoded[:1] == bytes((KEYED,)):
            inner, key_values = _decode(encoded, "RecordBatch", KEYED)
            return replace(self.decode(inner), key_values=key_values)
        span, format_, offsets, raws, values, times, keys, headers, *rest = _decode(
            encoded, "RecordBatch"
        )
        failures, filtered, claim, *further = rest
        further += [None] * (_FURTHER - len(further))
        elements, expansions, ahead, shared, cells, *of_routes, changes = further
        names, targets, routed_cells = of_routes
        if shared is not None:
            raws = [shared[number] for number in raws]
            for failure in failures:
                failure[_RAW] = shared[failure[_RAW]]
        return RecordBatch(
            span=_span_from(span),
            format=_format_from(format_),
            offsets=offsets,
            raws=raws,
            values=values,
            times=times,
            keys=keys,
            headers=None if headers is None else [_headers_from(each) for each in headers],
            failures=tuple(map(_failure_from, failures)),
            filtered=tuple(filtered),
            claim=None if claim is None else _claim_from(claim),
            elements=elements,
            expansions=None if expansions is None else list(map(expansion_of, expansions)),
            ahead=ahead,
            cells=cells,
            targets=None if targets is None else [names[number] for number in targets],
            routed_cells=routed_cells,
            changes=None if changes is None else [Change(*each) for each in changes],
        )

    def is_deterministic(self) -> bool:
        return True

    def estimate_size(self, value: RecordBatch) -> int:
        # Beam samples the size of elements between fused steps. By default it encodes them to find
        # out (apache_beam/runners/worker/opcounters.py), which takes a third of the run time.
        return value.raw_bytes

    def to_type_hint(self) -> type:
        return RecordBatch


class RecordCoder(coders.Coder):
    """Codes a ``Record``; raises what ``RecordBatchCoder`` raises."""

    def encode(self, value: Record) -> bytes:
        return _encode(
            [
                value.raw,
                value.value,
                _origin_to(value.origin),
                _format_to(value.format),
                value.event_time,
                value.key,
                _headers_to(value.headers),
                *((True,) if value.deleted else ()),
            ],
            CHANGED if value.deleted else _version_of(value.origin),
        )

    def decode(self, encoded: bytes) -> Record:
        raw, value, origin, format_, event_time, key, headers, *deleted = _decode(encoded, "Record")
        fields = (raw, value, _origin_from(origin), _format_from(format_), event_time, key)
        return Record(*fields, _headers_from(headers), *deleted)

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> type:
        return Record


class FailureCoder(coders.Coder):
    """Codes a ``Failure``; raises what ``RecordBatchCoder`` raises."""

    def encode(self, value: Failure) -> bytes:
        version = _version_of(value.origin) if value.target is None else ROUTED
        return _encode(_failure_to(value), version)

    def decode(self, encoded: bytes) -> Failure:
        return _failure_from(_decode(encoded, "Failure"))

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> type:
        return Failure


class SplitCoder(coders.Coder):
    """Codes a ``Split``; raises what ``RecordBatchCoder`` raises."""

    def encode(self, value: Split) -> bytes:
        fields = [value.source, value.name, value.version, value.size, value.start, value.end]
        spans = [_span_to(span) for span in value.takes_over]
        return _encode([*fields, spans] if spans else fields)

    def decode(self, encoded: bytes) -> Split:
        source, name, version, size, start, end, *further = _decode(encoded, "Split", VERSION)
        spans = tuple(_span_from(span) for span in further[0]) if further else ()
        return Split(source, name, version, size, start, end, spans)

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> type:
        return Split


def _encode(fields: list[Any], version: int = VERSION) -> bytes:
    return bytes((version,)) + plain.encode(fields)


def _decode(encoded: bytes, what: str, newest: int = CHANGED) -> Any:
    if not encoded or not VERSION <= encoded[0] <= newest:
        version = f"version {encoded[0]}" if encoded else "no bytes"
        raise ValueError(
            f"cannot decode a {what}: found {version}, this program reads up to version {newest}; "
            "drain the pipeline with the program that wrote it"
        )
    return plain.decode(memoryview(encoded)[1:])


def _listed(offsets: Any) -> Any:
    return offsets if type(offsets) is range else list(offsets)


def _span_to(span: Span) -> list[Any]:
    fields: list[Any] = [span.source, span.partition, span.start, span.end, span.final]
    return fields if span.content is None else [*fields, str(span.content)]


def _span_from(fields: list[Any]) -> Span:
    source, partition, start, end, final, *further = fields
    content = content_from(further[0]) if further else None
    return Span(source, partition, start, end, final, content)


def _version_of(origin: Origin) -> int:
    return EXPANDED if origin.expansion else VERSION


def _origin_to(origin: Origin) -> list[Any]:
    fields: list[Any] = [origin.source, origin.partition, origin.offset]
    if origin.expansion:
        return [*fields, origin.element, text_of(origin.expansion)]
    return fields if origin.element is None else [*fields, origin.element]


def _origin_from(fields: list[Any]) -> Origin:
    source, partition, offset, *further = fields
    element, expansion = (*further, None, None)[:2]
    return Origin(source, partition, offset, element, expansion_of(expansion))


def _batch_to(batch: RecordBatch, raws: list[Any], failures: list[list[Any]]) -> list[Any]:
    """The fields of a batch without expansions."""
    return [
        _span_to(batch.span),
        _format_to(batch.format),
        _listed(batch.offsets),
        raws,
        None if batch.values is None else list(batch.values),
        None if batch.times is None else list(batch.times),
        None if batch.keys is None else list(batch.keys),
        None if batch.headers is None else [_headers_to(each) for each in batch.headers],
        failures,
        list(batch.filtered),
        None if batch.claim is None else _claim_to(batch.claim),
        *(() if batch.elements is None else (list(batch.elements),)),
    ]


_SINGLE = 11
"""How many fields a batch has where each record is a whole message."""

_FURTHER = 9
"""How many further fields it has at most."""


def _is_routed(batch: RecordBatch) -> bool:
    """Whether any part of a batch has a target."""
    return (
        batch.targets is not None
        or batch.routed_cells is not None
        or (batch.claim is not None and batch.claim.target != "")
        or any(failure.target is not None for failure in batch.failures)
    )


def _targets_to(batch: RecordBatch) -> list[Any]:
    """The names of targets, the number of the name of each record, and the cells by target."""
    numbers: dict[str, int] = {}
    targets = None
    if batch.targets is not None:
        targets = [numbers.setdefault(target, len(numbers)) for target in batch.targets]
    cells = batch.routed_cells
    by_target = None
    if cells is not None:
        by_target = {target: None if of is None else dict(of) for target, of in cells.items()}
    return [list(numbers), targets, by_target]


def _format_to(format_: Format) -> list[Any]:
    fields: list[Any] = [format_.name, list(format_.columns), format_.delimiter]
    further = [format_.quote, format_.escape, list(format_.nulls), format_.encoding]
    return fields + further if further != _USUAL else fields


def _format_from(fields: list[Any]) -> Format:
    name, columns, delimiter, *further = fields
    quote, escape, nulls, encoding = further or _USUAL
    return Format(name, tuple(columns), delimiter, quote, escape, tuple(nulls), encoding)


_USUAL: list[Any] = ['"', "", [], ""]
"""The defaults of the further fields of a format, which are not encoded."""


def _headers_to(headers: Headers) -> list[list[Any]]:
    return [list(header) for header in headers]


def _headers_from(fields: list[list[Any]]) -> Headers:
    return tuple((name, value) for name, value in fields)


_RAW = 1
"""Where in the fields of a failure its bytes are."""

_UNROUTED_FAILURE = 15
"""How many fields a failure has without a target."""


def _failure_to(failure: Failure, number: int | None = None) -> list[Any]:
    """The fields of a failure; ``number`` stands for its bytes if they are coded elsewhere."""
    return [
        _origin_to(failure.origin),
        failure.raw if number is None else number,
        _format_to(failure.format),
        failure.stage,
        failure.category,
        failure.exception,
        failure.message,
        failure.stack,
        failure.sqlstate,
        failure.transient,
        failure.event_time,
        failure.key,
        _headers_to(failure.headers),
        None if failure.retry is None else _policy_to(failure.retry),
        failure.snooze,
        *(() if failure.target is None else (failure.target,)),
    ]


def _failure_from(fields: list[Any]) -> Failure:
    target = fields[_UNROUTED_FAILURE] if len(fields) > _UNROUTED_FAILURE else None
    origin, raw, format_, *rest, headers, retry, snooze = fields[:_UNROUTED_FAILURE]
    policy = None if retry is None else _policy_from(retry)
    tail: list[Any] = [*rest, _headers_from(headers), policy, snooze, target]
    return Failure(_origin_from(origin), raw, _format_from(format_), *tail)


def _policy_to(policy: RetryPolicy) -> list[Any]:
    return [policy.backoff.base, policy.backoff.cap, policy.max_attempts, list(policy.heals)]


def _policy_from(fields: list[Any]) -> RetryPolicy:
    base, cap, max_attempts, heals = fields
    return RetryPolicy(Backoff(base, cap), max_attempts, tuple(heals))


def _claim_to(claim: Claim) -> list[Any]:
    return [
        claim.id,
        [
            [
                *(offset, element, *each),
                *((text_of(expansion),) if expansion else ()),
            ]
            for (offset, element, expansion), each in claim.attempts.items()
        ],
        claim.read_by,
        *((claim.target,) if claim.target else ()),
    ]


def _claim_from(fields: list[Any]) -> Claim:
    id_, attempts, read_by, *target = fields
    tries: dict[tuple[int, int | None, Expansion], Attempt] = {}
    for offset, element, job, number, most, run, *further in attempts:
        expansion = expansion_of(further[0]) if further else ()
        tries[offset, element, expansion] = Attempt(job, number, most, run)
    return Claim(id_, tries, read_by, *target)


coders.registry.register_coder(RecordBatch, RecordBatchCoder)
coders.registry.register_coder(Record, RecordCoder)
coders.registry.register_coder(Failure, FailureCoder)
coders.registry.register_coder(Split, SplitCoder)
