"""Measurements and proofs that take minutes. They are run by hand, not as tests.

Each has a make target or the command in its docstring; docs/performance.md, guarantees.md, kafka.md,
flink.md and scaling.md record the results. ``peers`` measures this project beside others; ``files``,
``kafka`` and ``flink`` measure and kill ingestion from there, ``jobs`` retries and outages; ``stream``
puts a long stream under random faults; ``scale`` models a cluster. They run the commands as users do
(``commands.py``) and check the outcome from outside.
"""
