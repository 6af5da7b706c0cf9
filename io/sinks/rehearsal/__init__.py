"""A write that is tried with all that the database says to it, in one transaction, and taken back."""
