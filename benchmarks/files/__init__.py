"""Files into Postgres: speed and kills."""
