"""DuckDB: connections that share a transaction between cursors, SQLAlchemy's dialect, and ours."""
