"""DuckDB: how fast it is, and what is left after kills."""
