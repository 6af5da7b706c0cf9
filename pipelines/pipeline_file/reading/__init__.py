"""From the documents of a pipeline file to options: ``layers`` merges them, ``references`` and ``paths``
settle what they mean, ``values``, ``source_list`` and ``step_list`` read them.
"""
