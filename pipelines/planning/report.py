"""What is printed of a plan: lines for people, or one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

from pipelines.planning.detected import Detected
from pipelines.planning.plan import Kind, Plan
from pipelines.terminal import safe
from transforms.batch.counts import Counts
from transforms.route.table_name import UNROUTED
from transforms.secrets import redact

_ALWAYS_SHOWN = ("inserted", "updated", "duplicates", "dead")
_COLUMNS_SHOWN = 12
_SHOWN = 20
"""How many tables, statements and kinds of failures people see."""

_ENOUGH = 100
"""Of fewer records, a rate says nothing."""

_OWN = "ingest_"
"""How the names of Sluice's own tables begin."""


def show(plan: Plan, *, as_json: bool) -> None:
    """Print what a run would do. Nothing that is printed steers a terminal or shows a secret."""
    if as_json:
        print(json.dumps(_without_secrets(as_object(plan)), indent=2))
        return
    for line in lines(plan):
        print(safe(redact(line)))


def _without_secrets(value: Any) -> Any:
    """``value`` with every text redacted by itself: what is hidden then never reaches beyond it."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): _without_secrets(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(part) for part in value]
    return value


def as_object(plan: Plan) -> dict[str, Any]:
    """The plan as plain values."""
    tried = plan.attempt
    return {
        **dict(plan.counts),
        "left_out": plan.left_out,
        "untried": dict(plan.untried),
        "why_untried": plan.why_untried,
        "tables": {label: dict(counts) for label, counts in plan.tables.items()},
        "failures": [asdict(kind) for kind in plan.kinds],
        "sample": {
            "records": plan.sample.records,
            "bytes": plan.sample.bytes,
            "ended_by": plan.sample.ended_by,
            "sources": dict(plan.sample.by_source),
        },
        "detected": [each.as_json() for each in plan.detected],
        "notes": [
            {"topic": note.topic, "what": note.group, "count": note.count, "names": note.names}
            for note in plan.notes
        ],
        "written": tried is not None,
        "created": list(tried.created if tried else plan.missing),
        "statements": list(tried.statements) if tried else [],
        "remains": {
            "sequences": {
                name: {"before": before, "after": after}
                for name, (before, after) in (tried.sequences if tried else {}).items()
            },
            "triggers": {
                label: list(names) for label, names in (tried.triggers if tried else {}).items()
            },
            "steps": list(plan.steps) if plan.called else [],
        },
        "steps_not_called": [] if plan.called else list(plan.steps),
        "rates": {
            "read": _rate(plan.sample.records, plan.sample.seconds),
            "shaped": _rate(plan.sample.records, plan.shaped_seconds),
            "written": _rate(plan.counts.records, tried.seconds) if tried else None,
        },
    }


def lines(plan: Plan) -> Iterator[str]:
    """The plan for people, line by line."""
    yield from _of_sample(plan)
    if not plan.sample.records:
        return
    yield from _of_steps(plan)
    yield from _of_definitions(plan)
    yield from _of_tables(plan)
    for kind in plan.kinds[:_SHOWN]:
        yield from _of_kind(kind)
    yield from _more(len(plan.kinds), "kind")
    yield from _of_remains(plan)
    yield from _of_rates(plan)
    if plan.attempt is None:
        yield f"nothing was written: {plan.why_untried or 'there is nothing to write'}"
    else:
        yield "all of it was taken back: nothing was written"


def _of_sample(plan: Plan) -> Iterator[str]:
    sample = plan.sample
    if not sample.records:
        yield (
            "nothing to try: the sources have no records that are not settled already; --from_start "
            "reads them from the start"
        )
    else:
        ended = f"; reading ended after {sample.ended_by}" if sample.ended_by else ""
        yield f"sample: {_number(sample.records, 'record')}, {sample.bytes:,} bytes{ended}"
    for one in plan.detected:
        yield f"  {_described(one)}"
    for note in plan.notes:
        group = f" ({note.group})" if note.group else ""
        yield f"  {note.topic.replace('_', ' ')}{group}: {note}"


def _described(one: Detected) -> str:
    parts = [one.format, one.compression, one.encoding]
    if one.delimiter:
        parts.append("tabs" if one.delimiter == "\t" else f"delimiter {one.delimiter}")
    if one.delimiter and one.quote != '"':
        parts.append(f"quote {one.quote}" if one.quote else "no quotes")
    if not one.delimiter:  # of CSV, what was remarked is said already
        parts += [remark for remark in one.remarks if remark not in parts]
    if one.columns:
        more = len(one.columns) - _COLUMNS_SHOWN
        names = ", ".join(one.columns[:_COLUMNS_SHOWN]) + (f", and {more} more" * (more > 0))
        parts.append(f"fields {names}")
    return f"{one.name}: {_number(one.records, 'record')}; {', '.join(filter(None, parts))}"


def _of_steps(plan: Plan) -> Iterator[str]:
    if not plan.steps:
        return
    names, number = ", ".join(plan.steps), _number(len(plan.steps), "step")
    were = "was" if len(plan.steps) == 1 else "were"
    if plan.called:
        yield f"{number} {were} called: {names}"
    else:
        yield (
            f"{number} {were} not called ({names}), so records passed unchanged; --call_steps calls them"
        )


def _of_definitions(plan: Plan) -> Iterator[str]:
    tried = plan.attempt
    if tried is None:
        for label in plan.missing:
            yield f"would create table {label}"
        return
    own = [text for text in tried.statements if _is_own(text)]
    others = [text for text in tried.statements if not _is_own(text)]
    if others:
        yield "would execute"
        for statement in others[:_SHOWN]:
            yield from (f"  {line}" for line in f"{statement};".splitlines())
        yield from _more(len(others), "statement")
    if own:
        tables = sum(text.upper().startswith("CREATE TABLE") for text in own)
        yield (
            f"would create {_number(tables, 'table')} of Sluice itself (ingest_…); --json has all "
            "statements"
        )


def _is_own(statement: str) -> bool:
    """Whether a statement is about a table of Sluice's own, as SQLAlchemy writes them."""
    words = statement.replace("(", " ").split()
    return any(word.startswith(_OWN) for word in words[2:6])


def _of_tables(plan: Plan) -> Iterator[str]:
    tables: Mapping[str, Counts] = plan.tables or {"": plan.counts}
    for label, counts in islice(tables.items(), _SHOWN):
        numbers = [
            f"{number:,} {name}"
            for name, number in counts
            if number or (plan.attempt is not None and name in _ALWAYS_SHOWN)
        ]
        which = "no table" if label == UNROUTED else f"table {label}"
        yield f"{which}: {', '.join(numbers)}" if label else ", ".join(numbers)
    yield from _more(len(tables), "table")
    if plan.left_out:
        yield (
            f"left out: the last {_number(plan.left_out, 'record')} of the sample, since a trial with "
            "them holds others up for too long"
        )
    for label, number in plan.untried.items():
        yield f"not tried: {_number(number, 'record')} for {label} ({plan.why_untried})"


def _of_kind(kind: Kind) -> Iterator[str]:
    table = "" if kind.table == UNROUTED else f" for {kind.table}"
    yield f"{kind.outcome}: {_number(kind.count, 'record')}{table}, at {kind.stage}: {kind.category}"
    for example in kind.examples:
        yield f"  {example.source} ({example.partition}) {example.offset}: {example.message}"


def _of_remains(plan: Plan) -> Iterator[str]:
    """What a rollback cannot undo."""
    tried = plan.attempt
    for name, (before, after) in (tried.sequences if tried else {}).items():
        yield f"sequence {name} stays advanced: {'unused' if before is None else before} → {after}"
    for label, names in (tried.triggers if tried else {}).items():
        yield (
            f"triggers of table {label} may have run: {', '.join(names)}; what they do outside of the "
            "database stays"
        )


def _of_rates(plan: Plan) -> Iterator[str]:
    if plan.sample.records < _ENOUGH:
        return
    rates = [
        f"{rate:,.0f} records/s {what}"
        for what, rate in (
            ("read", _rate(plan.sample.records, plan.sample.seconds)),
            ("mapped and checked", _rate(plan.sample.records, plan.shaped_seconds)),
            ("written", _rate(plan.counts.records, plan.attempt.seconds) if plan.attempt else None),
        )
        if rate is not None
    ]
    if rates:
        yield ", ".join(rates)


def _more(count: int, what: str) -> Iterator[str]:
    """A line on what is not shown of ``count``, if that is anything."""
    if count > _SHOWN:
        yield f"  … and {_number(count - _SHOWN, what)} more; --json has all"


def _rate(records: int, seconds: float) -> float | None:
    return round(records / seconds, 1) if seconds > 0 else None


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
