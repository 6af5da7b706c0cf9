"""What the tables say of pipelines in figures, for whoever watches them.

``figures`` reads what is cheap, in one transaction, from ``totals`` (records by outcome), ``backlog``
(jobs that are due, the outbox), ``activity`` (runs and their workers) and ``by_hand`` (actions).
``audited`` reads what takes longer. Each figure is a ``Sample``; docs/metrics.md has their meaning.
"""
