"""Change events: what surrounds a row on a topic, and what it says of the row of its key."""
