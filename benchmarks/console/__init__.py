"""A database as large as the console has to be quick on, and what its readers and pages take there."""
