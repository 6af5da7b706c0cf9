"""Which rights on the target table its role lacks: the database's own message does not say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sinks.table.target import Target
from sinks.text.quoting import quote, quoted

Right = Literal["SELECT", "INSERT", "UPDATE"]

INSUFFICIENT_PRIVILEGE = "42501"
_SHOWN = 10  # columns in a message

_LACKING = (
    "SELECT current_user, n.place FROM unnest(%s::text[], %s::text[]) "
    "WITH ORDINALITY AS n(right_name, column_name, place) "
    "WHERE NOT has_column_privilege(%s, n.column_name, n.right_name) ORDER BY n.place"
)


def needed(target: Target, names: Sequence[str]) -> list[tuple[Right, str]]:
    """The right on each column that writing rows with the columns ``names`` takes."""
    rights: list[tuple[Right, str]] = [("INSERT", name) for name in names]
    rights += [("SELECT", name) for name in target.key]
    if target.on_conflict.mode != "ignore":
        changed = [name for name in names if name not in target.key]
        rights += [("UPDATE", name) for name in changed]
    return rights


def complaint(cursor: Any, target: Target, rights: Sequence[tuple[Right, str]]) -> str:
    """One sentence that names the rights that the role lacks; empty if it has all of ``rights``.

    Raises:
        psycopg2.Error: The database cannot tell.
    """
    table = quoted(target.table)
    kinds, columns = [kind for kind, _ in rights], [column for _, column in rights]
    cursor.execute(_LACKING, (kinds, columns, table))
    lacking = cursor.fetchall()
    if not lacking:
        return ""
    role = lacking[0][0]
    places = {place - 1 for _, place in lacking}
    grants: list[str] = []
    for kind in dict.fromkeys(kinds):
        of_kind = [place for place, other in enumerate(kinds) if other == kind]
        missing = [columns[place] for place in of_kind if place in places]
        if len(missing) == len(of_kind):
            grants.append(kind)
        elif missing:
            grants.append(f"{kind} ({_listed(missing)})")
    granted = ", ".join(grants)
    return (
        f"role {role} lacks {granted} on table {target.table}; "
        f"run: GRANT {granted} ON {table} TO {quote(role)}"
    )


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return ", ".join(map(quote, names[:_SHOWN])) + more
