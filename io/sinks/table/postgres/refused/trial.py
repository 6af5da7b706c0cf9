"""Trying staged rows one by one where they are: the server itself finds those that it refuses.

To send each row alone takes a round trip to try it and another to undo it. One block of PL/pgSQL
tries many, each under a savepoint of its own, and says why it refuses which. All of it is undone:
what is left of the rows is then written as if they had come without the refused ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import psycopg2

from sinks.database.classify import BY_SQLSTATE
from sinks.table.postgres.refused.refusal import Refusal
from sinks.table.postgres.session import Session
from sinks.text.quoting import literal

AT_ONCE = 1_000
"""Rows of one block: their savepoints take room in the server, and other sessions look at them."""

SPAN = ("sluice_trial.first", "sluice_trial.last")
RESULT = "sluice_trial.done"

_LARGEST_PIECE = 64  # rows tried under one savepoint, as long as all goes well

_NOBODYS = tuple(code for code, (kind, _) in BY_SQLSTATE.items() if kind in ("outage", "transient"))
"""How the codes of errors begin that no row is to blame for: they end the block."""

# Names with the block's label before them are never a column's; a column's name without is never a
# variable's.
_BLOCK = """
#variable_conflict use_column
<<sluice_trial>>
DECLARE
  numbers bigint[] := {numbers};
  place integer := 1;
  size integer := 1;
  piece integer;
  first bigint;
  last bigint;
  done bigint;
  code text;
  message text;
  detail text;
  hint text;
  context text;
  refused text[] := '{{}}';
BEGIN
  WHILE sluice_trial.place <= cardinality(sluice_trial.numbers) LOOP
    piece := least(sluice_trial.size, cardinality(sluice_trial.numbers) - sluice_trial.place + 1);
    first := sluice_trial.numbers[sluice_trial.place];
    last := sluice_trial.numbers[sluice_trial.place + sluice_trial.piece - 1];
    BEGIN
      {statement};{check}
      place := sluice_trial.place + sluice_trial.piece;
      size := least(2 * sluice_trial.size, {largest});
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
      IF sluice_trial.code ~ {nobodys} THEN
        RAISE;
      END IF;
      IF sluice_trial.piece = 1 THEN
        refused := sluice_trial.refused || json_build_array(
          sluice_trial.first, sluice_trial.code, sluice_trial.message, sluice_trial.detail,
          sluice_trial.hint,
          left(sluice_trial.context, strpos(sluice_trial.context, {own}) - 1))::text;
        place := sluice_trial.place + 1;
      END IF;
      size := 1;
    END;
  END LOOP;
  PERFORM set_config('sluice.refused',
    '[' || array_to_string(sluice_trial.refused, ',') || ']', true);
END
"""

_ANSWER = "SELECT current_setting('sluice.refused')"


def refusals(
    session: Session, statement: str, numbers: Sequence[int], *, deferrable: bool
) -> dict[int, Refusal] | None:
    """What the target says of each staged row that it refuses, by the row's number.

    The rows are tried in their order, each after those before it that are accepted. Nothing of it
    stays.

    Args:
        session: In the transaction that has staged the rows.
        statement: Inserts the rows between two numbers, the variables ``SPAN``; its result, if it
            has one, goes into the variable ``RESULT``.
        numbers: Which rows, ascending; at most ``AT_ONCE``.
        deferrable: Whether something may wait until the commit: it is checked row by row.

    Returns:
        The refusals; None if the rows cannot be tried so.

    Raises:
        psycopg2.Error: The transaction cannot go on.
    """
    block = block_of(statement, numbers, deferrable=deferrable)
    answer = ""
    try:
        with session.savepoint("trial"):
            session.execute(f"DO {literal(block)}")
            answer = session.query(_ANSWER)[0][0]
            session.undo("trial")
    except psycopg2.Error as error:
        if not session.undoes(error):
            raise
        return None
    refused: list[tuple[int, str, str, str, str, str]] = msgspec.json.decode(answer)
    return {
        # The last line of the context is the block's own.
        number: Refusal(code, message, detail, hint, context.rpartition("\n")[0])
        for number, code, message, detail, hint, context in refused
    }


def block_of(statement: str, numbers: Sequence[int], *, deferrable: bool) -> str:
    """The block of PL/pgSQL that tries the rows with these ``numbers``."""
    return _BLOCK.format(
        numbers="'{" + ",".join(f"{number:d}" for number in numbers) + "}'",
        statement=statement,
        check="\n      SET CONSTRAINTS ALL IMMEDIATE;" if deferrable else "",
        largest=_LARGEST_PIECE,
        nobodys=literal(f"^({'|'.join(_NOBODYS)})"),
        own=literal(statement[:40]),
    )
