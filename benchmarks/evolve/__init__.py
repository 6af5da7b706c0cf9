"""Tables that change with their records, while their writers are killed."""
