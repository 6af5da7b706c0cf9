"""FlinkRunner: submit a pipeline to a Flink cluster and follow its job.

``runner`` is the ``RUNNER``, ``options`` makes a job's options safe, ``submission`` finds the job
among those of its cluster, ``worker`` ends a worker with the program that started it. ``jobs`` is
the command line (``python -m runners.flink``) and ``rest`` Flink's REST API. ``endpoints`` says how a
cluster of this machine is reached; ``local``, which only development and tests use, starts one.
"""
