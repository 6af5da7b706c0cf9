"""What the console shows: each reader answers one screen, within bounds, without a write."""
