"""What happens to a record. Nothing here knows a connector or a runner."""
