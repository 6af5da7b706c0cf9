"""Records that have failed for the first time: their jobs, as columns, stored by the thousand."""
