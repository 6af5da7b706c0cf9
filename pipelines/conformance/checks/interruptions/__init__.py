"""Checks of what breaks a write off: a rollback, a lost connection, the death of a process."""
