"""Actions on failed records: what was chosen, a confirmation, the action, what became of it; and edits."""
