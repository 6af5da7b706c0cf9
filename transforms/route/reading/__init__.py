"""From a routes file to routes."""
