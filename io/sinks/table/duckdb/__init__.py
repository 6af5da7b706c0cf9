"""DuckDB: rows by INSERT … SELECT from Arrow tables."""
