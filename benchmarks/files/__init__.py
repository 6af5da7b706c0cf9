"""Files into a database.

``ingest`` measures against the ``plain_loader``, ``kills`` kills runs and compares the outcome with a
clean run.
"""
