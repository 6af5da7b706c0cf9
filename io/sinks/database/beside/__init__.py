"""The tables beside the target tables, at their latest version: one module a subject.

Each column says what it means by ``doc``, and each table what a row of it is by ``info``; docs/tables.md is
made of them. Code imports the tables from ``sinks.database.tables``.
"""
