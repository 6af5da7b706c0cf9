"""Statements that databases have in common, built once for each shape of rows."""
