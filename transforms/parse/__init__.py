"""From bytes to values that fit the schema: JSON, CSV, typed rows, validation."""
