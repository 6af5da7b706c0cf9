"""A long stream under random faults, counted from outside."""
