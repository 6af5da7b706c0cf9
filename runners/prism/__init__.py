"""PrismRunner: Beam's portable runner for one machine, a Go program.

``binary`` finds or builds the program, ``server`` starts it for one pipeline and ends it with the
pipeline, ``runner`` is the ``RUNNER``. The SDK worker runs in this process.
"""
