"""Messages that name a schema: their rate beside that of the same as JSON, and a registry that goes away."""
