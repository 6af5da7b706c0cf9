"""PostgreSQL: describe and create the target table; ``copy`` writes its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.depths import depths_of
from sinks.database.label import label_in
from sinks.table.postgres import copy, direct, widening
from sinks.table.records import Records, Written
from sinks.table.schema import LogicalType, NewColumn
from sinks.table.target import Column, Description, ForeignKey, Interplay, Target
from sinks.table.writer import Wider
from sinks.text.quoting import literal, quote, quoted
from transforms.route.table_name import TableName

_TYPES: dict[LogicalType, str] = {
    "text": "text",
    "uuid": "uuid",
    "timestamp": "timestamptz",
    "date": "date",
    "time": "time",
    "integer": "bigint",
    "numeric": "numeric",
    "boolean": "boolean",
    "json": "jsonb",
    "bytes": "bytea",
}

_FIND = sa.text(
    """
    SELECT c.oid, c.relkind = 'p' AS partitioned, c.relkind IN ('v', 'm') AS view,
           EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.condeferrable)
           OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgdeferrable)
             AS deferrable,
           c.relkind NOT IN ('r', 'p') OR c.relhasrules
           OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal)
           OR EXISTS (SELECT FROM pg_constraint k
                      WHERE k.conrelid = c.oid AND k.confrelid = c.oid)
           OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
                      AND (i.indisexclusion OR i.indisunique AND (NOT i.indimmediate
                           OR i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)))
             AS entangled,
           -- tgtype: 1 for each row, 2 BEFORE, 4 INSERT, 16 UPDATE, 64 INSTEAD OF
           -- (src/include/catalog/pg_trigger.h).
           EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
                   AND g.tgtype & 1 <> 0 AND g.tgtype & 66 <> 0 AND g.tgtype & 20 <> 0)
             AS rewriting,
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
                   AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL))
           OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '')
             AS computing,
           c.relrowsecurity OR EXISTS (SELECT FROM pg_attribute a
                                       WHERE a.attrelid = c.oid AND a.attgenerated <> '')
             AS looks_at_all
    FROM pg_class c WHERE c.oid = to_regclass(:name)
    """
)
# A domain is read as the type beneath it, through all domains in between; the database checks their
# conditions. A domain has the default that it was created with, whatever the one beneath it has.
_COLUMNS = sa.text(
    """
    SELECT a.attname AS name, COALESCE(d.base, t.typname) AS type,
           a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL AS has_default,
           a.attgenerated <> '' OR a.attidentity = 'a' AS generated,
           a.attnotnull OR COALESCE(d.not_null, false) AS not_null,
           COALESCE(d.checked, false) AS checked,
           t.typtype = 'b' AND (
             t.typname IN ('int2', 'int4', 'int8', 'uuid')
             OR (t.typname = 'text' OR t.typname = 'varchar' AND a.atttypmod = -1)
                AND COALESCE(n.collisdeterministic, true)) AS one_spelling,
           a.atttypmod AS modifier, t.typtype <> 'b' AS fixed
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation n ON n.oid = a.attcollation
    LEFT JOIN LATERAL (
      WITH RECURSIVE chain AS (
        SELECT t.oid, t.typname, t.typtype, t.typbasetype, t.typnotnull
        UNION ALL
        SELECT b.oid, b.typname, b.typtype, b.typbasetype, b.typnotnull
        FROM chain c JOIN pg_type b ON c.typtype = 'd' AND b.oid = c.typbasetype
      )
      SELECT max(c.typname) FILTER (WHERE c.typtype <> 'd') AS base,
             bool_or(c.typnotnull) AS not_null,
             bool_or(EXISTS (SELECT FROM pg_constraint k
                             WHERE k.contypid = c.oid AND k.contype = 'c')) AS checked
      FROM chain c
    ) d ON t.typtype = 'd'
    WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
    """
)
# Partial, expression and deferrable indexes cannot settle an ON CONFLICT (manual, INSERT).
_UNIQUE = sa.text(
    """
    SELECT array_agg(a.attname::text)
    FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) AS k(attnum)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = :oid AND i.indisunique AND i.indimmediate AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
    GROUP BY i.indexrelid
    """
)
_CONSTRAINTS = sa.text(
    """
    SELECT k.contype AS kind, pg_get_expr(k.conbin, k.conrelid) AS condition,
           ARRAY(SELECT a.attname::text FROM pg_attribute a
                 WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)) AS columns
    FROM pg_constraint k WHERE k.conrelid = :oid AND k.contype IN ('c', 'f') ORDER BY k.oid
    """
)
# Those that are checked with each row, by a comparison of columns, and no rule hides rows.
_FOREIGN_KEYS = sa.text(
    """
    SELECT CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || format('%I.%I', n.nspname, c.relname)
             AS parent,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS p(num, place)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.num
                 ORDER BY p.place) AS columns,
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS p(num, place)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.num
                 ORDER BY p.place) AS others
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.conrelid = :oid AND k.contype = 'f' AND k.confrelid <> k.conrelid
      AND k.confmatchtype = 's' AND NOT k.condeferrable
      AND COALESCE(to_jsonb(k) ->> 'conperiod', 'false') = 'false'
      AND COALESCE(to_jsonb(k) ->> 'conenforced', 'true') = 'true'
      AND NOT c.relrowsecurity AND has_schema_privilege(n.oid, 'USAGE')
      AND (SELECT bool_and(has_column_privilege(c.oid, p.num, 'SELECT')) FROM unnest(k.confkey) AS p(num))
    ORDER BY k.oid
    """
)
_ANCESTORS = sa.text(
    """
    WITH RECURSIVE up AS (
      SELECT confrelid AS oid FROM pg_constraint WHERE conrelid = :oid AND contype = 'f'
      UNION
      SELECT k.confrelid FROM up JOIN pg_constraint k ON k.conrelid = up.oid AND k.contype = 'f'
    )
    SELECT n.nspname, c.relname FROM up
    JOIN pg_class c ON c.oid = up.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid <> :oid
    """
)
_SHOWN = sa.text(
    """
    SELECT DISTINCT n.nspname, c.relname
    FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind <> 'S'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.ev_class = :oid LIMIT 2
    """
)
_SELF_REFERENCES = sa.text(
    """
    SELECT array_agg(a.attname::text ORDER BY p.place), array_agg(b.attname::text ORDER BY p.place)
    FROM pg_constraint k
    CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS p(own, other, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
    JOIN pg_attribute b ON b.attrelid = k.conrelid AND b.attnum = p.other
    WHERE k.conrelid = :oid AND k.confrelid = :oid AND k.contype = 'f'
    GROUP BY k.oid ORDER BY k.oid
    """
)


_REFERENCES = sa.text(
    """
    SELECT DISTINCT cn.nspname, c.relname, pn.nspname, p.relname
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
    JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
    WHERE k.contype = 'f' AND k.conrelid <> k.confrelid
    """
)


class PostgresWriter:
    """PostgreSQL 12 or later, with psycopg2."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """Read the system catalogue."""
        relation = connection.execute(_FIND, {"name": quoted(table)}).one_or_none()
        if relation is None:
            return None
        oid = {"oid": relation.oid}
        described = connection.execute(_COLUMNS, oid).all()
        columns = tuple(
            Column(
                *(row.name, row.type, row.has_default, row.generated, row.not_null),
                *(row.one_spelling, row.modifier, row.fixed),
            )
            for row in described
        )
        unique = tuple(frozenset(row[0]) for row in connection.execute(_UNIQUE, oid))
        constraints = connection.execute(_CONSTRAINTS, oid).all()
        checks = [constraint for constraint in constraints if constraint.kind == "c"]
        references = frozenset(
            name for each in constraints if each.kind == "f" for name in each.columns
        )
        default = connection.dialect.default_schema_name
        ancestors = connection.execute(_ANCESTORS, oid) if references else ()
        interplay = Interplay(
            relation.entangled,
            relation.rewriting,
            tuple(
                (tuple(own), tuple(other))
                for own, other in connection.execute(_SELF_REFERENCES, oid)
            ),
            checked=frozenset(
                row.name for row in described if row.checked or relation.looks_at_all
            ).union(*(each.columns for each in checks)),
            references=references,
            ancestors=frozenset(
                label_in(default, TableName(name, schema)) for schema, name in ancestors
            ),
            checks=None
            if relation.computing or relation.looks_at_all
            else tuple(each.condition for each in checks),
            foreign_keys=tuple(
                ForeignKey(tuple(each.columns), each.parent, tuple(each.others))
                for each in (connection.execute(_FOREIGN_KEYS, oid) if references else ())
            ),
        )
        shown = connection.execute(_SHOWN, oid).all() if relation.view else ()
        return Description(
            *(columns, unique, relation.deferrable, relation.partitioned, interplay),
            view=relation.view,
            shown=_short(default, *shown[0]) if len(shown) == 1 else None,
        )

    def create(
        self,
        connection: sa.Connection,
        table: TableName,
        columns: Sequence[NewColumn],
        key: Sequence[str],
    ) -> None:
        """Create the table."""
        lines = [
            f"{quote(column.name)} {_TYPES[column.type]}" + ("" if column.nullable else " NOT NULL")
            for column in columns
        ]
        lines.append(f"PRIMARY KEY ({', '.join(map(quote, key))})")
        # Without parameters, the driver leaves percent signs in names alone.
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({', '.join(lines)})",
            execution_options={"no_parameters": True},
        )
        for column in columns:
            _comment(connection, table, column)

    def add_column(self, connection: sa.Connection, table: TableName, column: NewColumn) -> str:
        """Add it; the table is not rewritten."""
        statement = _change(
            connection,
            f"ALTER TABLE {quoted(table)} ADD COLUMN IF NOT EXISTS {quote(column.name)} "
            f"{_TYPES[column.type]}",
        )
        _comment(connection, table, column)
        return statement

    def widened(self, column: Column, values: Sequence[Any]) -> Wider | None:
        """As ``widening.widened`` says; with numbers of another width the table is rewritten."""
        kind = widening.widened(column, values)
        if kind is None:
            return None
        change = f"ALTER COLUMN {quote(column.name)} TYPE {kind}"
        return Wider(
            kind,
            lambda connection, table: _change(connection, f"ALTER TABLE {quoted(table)} {change}"),
        )

    def misfits(self, column: Column, value: object) -> bool:
        """As ``widening.misfits`` says."""
        return widening.misfits(column, value)

    def depths(self, connection: sa.Connection, tables: Sequence[TableName]) -> list[int]:
        """Read the system catalogue."""
        rows = connection.execute(_REFERENCES)
        depths = depths_of([((own, table), (other, to)) for own, table, other, to in rows])
        default = connection.dialect.default_schema_name
        return [depths.get((table.schema or default, table.name), 0) for table in tables]

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write by COPY."""
        return copy.write(connection, target, records)

    def committed(self, target: Target, written: Written) -> None:
        """Remember whether keys collided, and which rows took effect."""
        direct.note(target, written.collided)
        if written.evidence is not None:
            written.evidence.note()


def _short(default: str | None, schema: str, name: str) -> TableName:
    """A table, without the default schema."""
    return TableName(name, None if schema == default else schema)


def _change(connection: sa.Connection, statement: str) -> str:
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    return statement


def _comment(connection: sa.Connection, table: TableName, column: NewColumn) -> None:
    if column.comment:
        place = f"{quoted(table)}.{quote(column.name)}"
        _change(connection, f"COMMENT ON COLUMN {place} IS {literal(column.comment)}")
