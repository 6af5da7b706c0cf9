"""Alerts and dashboards on a real Prometheus: a scene in which each alert fires, and ends."""
