"""Which of the rows of a block are staged, and which are to blame for what the server says."""

from __future__ import annotations

from sinks.table.postgres.lines import Lines
from sinks.table.postgres.refused.refusal import Refusal
from sinks.table.postgres.staged_block import StagedBlock


def block() -> StagedBlock:
    texts = ["a", "b", "c"]
    return StagedBlock(Lines(("v",), texts, [4, 7, 9]), start=20, refused={1})


def test_a_block_numbers_the_rows_that_copy_took() -> None:
    assert (block().end, block().numbers()) == (23, {4: 20, 9: 22})


def test_rows_become_poison_where_the_code_blames_them() -> None:
    staged = block()
    assert staged.blame({20: Refusal("42501", "no"), 22: Refusal("23514", "no")}) == {22}
    assert [(bad.index, bad.sqlstate) for bad in staged.poison] == [(9, "23514")]
