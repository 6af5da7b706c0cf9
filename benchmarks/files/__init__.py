"""Files into a database.

``kills`` kills runs and compares the outcome with a clean run; ``plain_loader`` is the yardstick of
``benchmarks.peers``.
"""
