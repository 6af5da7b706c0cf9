"""Take records out of their envelopes, and tell which of them say that a row is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.record import Change, RecordBatch
from transforms.envelope.config import DELETE, TRUNCATE, UnwrapConfig
from transforms.envelope.event import event_of
from transforms.envelope.message_key import NotDecoded, with_key_fields, with_rest_of_key
from transforms.errors import Reject
from transforms.parse.registry.schema import UnknownSchema
from transforms.route.conditions.columns import Columns
from transforms.route.conditions.condition import Condition
from transforms.route.conditions.predicate import Predicate, bound, reduced
from transforms.steps.apply import Drop, apply_to_values

STAGE = "envelope"


class Unwrap(beam.PTransform):
    """Give each record of a ``RecordBatch`` the row that its event holds; put it behind ``Parse``.

    A record that cannot be unwrapped becomes a failure of stage ``envelope``.

    Args:
        config: What records are in.
    """

    def __init__(self, config: UnwrapConfig) -> None:
        super().__init__()
        self._config = config

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "Take" >> beam.ParDo(_UnwrapFn(self._config)).with_input_types(
            RecordBatch
        ).with_output_types(RecordBatch)


class _UnwrapFn(beam.DoFn):
    def __init__(self, config: UnwrapConfig) -> None:
        self._config = config

    def setup(self) -> None:
        self._unwrapper = Unwrapper(self._config)

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        with instruments.stage("parse"):
            return (self._unwrapper.unwrapped(batch),)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one record has become: a row, or why there is none."""

    value: Any
    change: Change = Change()  # noqa: RUF009 - immutable
    error: Exception | None = None


class Unwrapper:
    """Unwraps batches.

    Args:
        config: What records are in.
    """

    def __init__(self, config: UnwrapConfig) -> None:
        self._config = config
        self._condition = config.condition()

    def unwrapped(self, batch: RecordBatch) -> RecordBatch:
        """``batch`` with the rows in its events, and what each says of its row.

        Raises:
            ValueError: The batch has no values: it has not been parsed.
        """
        if batch.values is None:
            raise ValueError("Unwrap needs parsed records: put Parse before it")
        outcomes = [self._outcome(batch, index) for index in range(len(batch.raws))]
        if self._condition is not None:
            outcomes = self._with_condition(batch, outcomes)
        batch = replace(batch, changes=[outcome.change for outcome in outcomes])
        return apply_to_values(batch, outcomes, _value_of, STAGE)

    def _outcome(self, batch: RecordBatch, index: int) -> _Outcome:
        config = self._config
        keys = batch.keys if batch.key_values is None else batch.key_values
        key = None if keys is None else keys[index]
        try:
            if not batch.raws[index] and key is not None:
                return self._gone({}, None, key)
            event = event_of((batch.values or ())[index], config.envelope)
            if event.kind == "message":
                raise Drop
            if event.kind == "truncate":
                if config.on_delete == "ignore":
                    raise Drop
                raise Reject(
                    "the table was truncated: nobody can tell which rows of other partitions came "
                    "before that; empty the table by hand, or leave this out (--on_delete ignore)",
                    TRUNCATE,
                )
            if event.kind == "delete":
                return self._gone(event.value, event.position, key)
            value = event.value
            if config.key_fields:
                value = with_key_fields(value, key, config.key_fields)
            return _Outcome(value, Change(False, event.position, event.partial))
        except NotDecoded as error:
            if batch.key_values is None:
                return _Outcome(None, error=error)
            return _Outcome(None, error=UnknownSchema(error.of_registry))
        except (Drop, Reject) as error:
            return _Outcome(None, error=error)

    def _gone(self, value: dict[str, Any], position: int | None, key: Any) -> _Outcome:
        """A delete, or what becomes of it.

        Raises:
            Drop: It is left out.
            Reject: Nothing is done about it, or it does not say which row is meant.
        """
        if self._config.on_delete == "ignore":
            raise Drop
        if self._config.on_delete == "dead":
            raise Reject(
                "the record says that its row is gone; --on_delete delete, mark:COLUMN or ignore "
                "does something about it",
                DELETE,
            )
        if self._config.key_fields:
            value = with_key_fields(value, key, self._config.key_fields)
        else:
            value = with_rest_of_key(value, key, self._config.key)
        return _Outcome(value, Change(True, position))

    def _with_condition(self, batch: RecordBatch, outcomes: Sequence[_Outcome]) -> list[_Outcome]:
        """``outcomes`` in which the rows that meet the condition are deletes."""
        assert self._condition is not None  # noqa: S101 - the caller has looked
        unwrapped = batch.with_values([outcome.value for outcome in outcomes])
        meets = self._predicate(self._condition, unwrapped)
        changed = list(outcomes)
        for index, outcome in enumerate(outcomes):
            if outcome.error is not None or outcome.change.delete:
                continue
            try:
                if meets(index):
                    changed[index] = self._gone(outcome.value, outcome.change.position, None)
            except (Drop, Reject) as error:
                changed[index] = _Outcome(None, error=error)
        return changed

    def _predicate(self, condition: Condition, batch: RecordBatch) -> Predicate:
        left = reduced(condition, batch)
        if isinstance(left, bool):
            return lambda index: left
        csv = batch.format.name == "csv"
        return bound(left, "--delete_when", csv=csv, hidden=True)(Columns(batch))


def _value_of(outcome: _Outcome) -> Any:
    if outcome.error is not None:
        raise outcome.error
    return outcome.value
