"""A large batch in pieces: what takes several steps in turn stays in the processor's cache.

The values of 5,000 records do not fit into it: each step fetches them from memory again, which
costs more than many a step itself (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from transforms.batch.record import COLUMNS, Change, RecordBatch

RECORDS = 250
"""How many records a piece has."""

_COLUMNS = ("values", *COLUMNS)
_FILLERS: dict[str, Any] = {"expansions": (), "ahead": 0, "changes": Change()}
"""What stands for a column that a step has given to some pieces only."""


def in_pieces(batch: RecordBatch, step: Callable[[RecordBatch], RecordBatch]) -> RecordBatch:
    """``batch`` after ``step``, which is given one piece after another; the failures with the first.

    Args:
        batch: The records.
        step: Gives records other values, and decides which of them there are; no more than that.
    """
    if len(batch.raws) <= RECORDS:
        return step(batch)
    return _joined(batch, list(map(step, _pieces(batch))))


def _pieces(batch: RecordBatch) -> Iterator[RecordBatch]:
    columns = {name: getattr(batch, name) for name in _COLUMNS}
    present = {name: column for name, column in columns.items() if column is not None}
    for start in range(0, len(batch.raws), RECORDS):
        parts = {name: column[start : start + RECORDS] for name, column in present.items()}
        yield replace(batch, **parts)
        batch = replace(batch, failures=(), filtered=())


def _is_whole(piece: RecordBatch) -> bool:
    """Whether a step has left all records of a piece where they are."""
    return not piece.failures and not piece.filtered and piece.expansions is None


def _joined(batch: RecordBatch, pieces: Sequence[RecordBatch]) -> RecordBatch:
    """The pieces of ``batch`` as one."""
    if not all(map(_is_whole, pieces)):
        return replace(joined(pieces), span=batch.span)
    parts = [piece.values for piece in pieces if piece.values is not None]
    values = list(chain.from_iterable(parts)) if parts else None
    keys = [piece.key_values for piece in pieces if piece.key_values is not None]
    return replace(
        batch,
        values=values,
        failures=(),
        filtered=(),
        cells=pieces[0].cells,
        key_values=list(chain.from_iterable(keys)) if keys else None,
    )


def joined(pieces: Sequence[RecordBatch]) -> RecordBatch:
    """The records, failures and filtered offsets of batches of one span, in their order."""
    columns: dict[str, Any] = {}
    for name in _COLUMNS:
        parts = [getattr(piece, name) for piece in pieces]
        if all(part is None for part in parts):
            columns[name] = None
            continue
        lengths = [len(piece.raws) for piece in pieces]
        filled = (
            [_FILLERS[name]] * length if part is None else part
            for part, length in zip(parts, lengths, strict=True)
        )
        columns[name] = list(chain.from_iterable(filled))
    return replace(
        pieces[0],
        **columns,
        failures=tuple(chain.from_iterable(piece.failures for piece in pieces)),
        filtered=tuple(chain.from_iterable(piece.filtered for piece in pieces)),
    )
