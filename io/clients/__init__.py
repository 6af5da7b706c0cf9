"""Clients that sources and sinks share, one a process, and their configuration."""
