"""Records column by column, where nothing looks at a single one before it is written."""
