"""Writing into a PostgreSQL table: COPY, staging tables and one INSERT for each batch."""
