"""What you run: ``python -m pipelines.ingest``, ``pipelines.audit``, ``pipelines.dead_letters``."""
