"""Runs of pipelines and the processes that work for them: ``runs`` is the table of runs,
``heartbeat`` the row that each process keeps up to date, and ``history`` what both say together."""
