"""Retries, replays and outages."""
