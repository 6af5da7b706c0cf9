"""Several commits in flight against one at a time."""
