"""Topics into Postgres on a real local Flink cluster.

``rate`` measures the speed, ``kills`` kills TaskManagers and the JobManager, ``idle`` measures the cost
of an idle stream. ``job`` submits a Flink job and waits for it.
"""
