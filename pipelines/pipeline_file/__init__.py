"""A pipeline in a file: its layers (file, environment, settings) become the options of ``ingest``.

``definition`` says which options there are, from the parser of ``ingest``; ``reading/`` turns documents
into them, ``loading`` is the whole of it, and ``validating`` says all that is wrong. ``json_schema`` is
what editors know of a file.
"""
