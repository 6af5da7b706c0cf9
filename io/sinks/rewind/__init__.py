"""Forget offsets, so that they are read again: one transaction over ledger, jobs and control.

``rewind`` does it, ``preview`` says what it would do, and ``at_rest`` whether the pipeline is paused or
stopped, as it must be. Readers that have noted a position see the generation, which is one more
afterwards, and go on where the ledger says (``transforms.read.reading``).
"""
