"""What differs from runner to runner. No other package asks which runner a pipeline runs on.

``runner`` is the contract (``Runner``, ``NAMES``, ``named``). DirectRunner is ``direct``; ``prism``
and ``flink`` are packages, and ``beam`` is what they need of Beam. The other modules serve the runners:
``signals``, ``listeners``, ``ports``, ``file_lock``, ``build_cache``, ``programs``.

Imports: ``flink.local`` imports ``flink``; ``flink`` and ``prism`` import the modules of this folder,
which import neither. A runner is imported when it is chosen.
"""
