"""Fold rows of one key: write only the one that wins, where the result is known to be the same.

It is, if the database would have accepted every one of them. COPY checks the types as the rows
are staged, a query checks the conditions, and rows that refer to others must refer to the same
ones.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from sinks.table.postgres import statements
from sinks.table.postgres.lines import encode_blocks
from sinks.table.postgres.staged_block import StagedBlock
from sinks.table.postgres.staging import Staging
from sinks.table.rows import Rows, blocks_of, picked
from sinks.table.target import Target
from transforms.parse.json_text import encode_json

_SHORT = 2_000  # characters of a row that no index refuses (PostgreSQL: 2,704 bytes, or a third of a page)


def fold(staging: Staging, rows: Rows, keys: Sequence[Hashable]) -> Sequence[int]:
    """Write the winning row of each key, where that is known to be enough.

    Args:
        staging: The staging table.
        rows: The rows.
        keys: The key of each row.

    Returns:
        The positions of the rows that are still to be written, one by one.
    """
    session, target, written = staging.session, staging.target, staging.written
    groups = _groups(keys)
    apart = {p for group in groups.values() if not can_fold(target, rows, group) for p in group}
    together = [p for p in range(len(keys)) if p not in apart]
    blocks = encode_blocks(target, blocks_of(target, picked(rows, together)), written.poison)
    if not blocks:
        return sorted(apart)
    staged = staging.stage(blocks)
    table = staging.table
    numbers: dict[int, int] = {}
    for block in staged:
        numbers |= block.numbers()
    position = {index: p for p, index in enumerate(rows.indices)}

    # A key with a row that the table would refuse is written row by row.
    refused = _refused(staging, staged)
    refusing = {keys[position[index]] for index, n in numbers.items() if n in refused}
    again = {p for key in refusing for p in groups[key] if rows.indices[p] in numbers}
    if again:
        withdrawn = [numbers[rows.indices[p]] for p in again]
        session.execute(statements.delete_statement(table, withdrawn))

    supersede = statements.supersede_statement(target, table, staged[0].start)
    superseded = {int(row[0]) for row in session.query(supersede)}
    before = len(written.poison)
    staging.insert(staged, ())
    beaten = {keys[position[refusal.index]] for refusal in written.poison[before:]}
    for index, number in numbers.items():
        if number not in superseded:
            continue
        if keys[position[index]] in beaten:
            again.add(position[index])  # the row that would have won was refused
        elif target.on_conflict.mode == "update":
            written.updated[staging.records.batch_of(index)] += 1
    return sorted(apart | again)


def can_fold(target: Target, rows: Rows, group: Sequence[int]) -> bool:
    """Whether the rows at the positions ``group``, all of one key, may be folded."""
    interplay = target.interplay
    if len(group) == 1:
        return True
    if interplay.checks is None:
        return False
    first = rows.values[group[0]]
    names = set(first)
    compared = {target.on_conflict.field} - {""}
    return (
        all(rows.values[p].keys() == names for p in group)
        and names >= interplay.checked | compared
        and all(
            rows.values[p].get(name) == first.get(name)
            for name in interplay.references
            for p in group
        )
        and all(map(_is_short, (rows.values[p] for p in group)))
    )


def _groups(keys: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    """The positions of each key."""
    groups: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        groups.setdefault(key, []).append(position)
    return groups


def _is_short(row: Mapping[str, Any]) -> bool:
    """Whether no cell is so long that an index may refuse it."""
    for cell in row.values():
        sized = encode_json(cell) if isinstance(cell, (dict, list)) else cell
        if isinstance(sized, (str, bytes)) and len(sized) > _SHORT:
            return False
    return True


def _refused(staging: Staging, staged: Sequence[StagedBlock]) -> set[int]:
    """Numbers of the staged rows that the table would refuse; all, if it cannot be told."""
    refused: set[int] = set()
    for block in staged:
        numbers = staging.refused(block, block.start, block.end)
        refused.update(range(block.start, block.end) if numbers is None else numbers)
    return refused
