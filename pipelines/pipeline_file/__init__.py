"""A pipeline in a file: its layers (file, environment, settings) become the options of ``ingest``.

``definition`` says which options there are, from the parser of ``ingest``; ``layers`` reads documents,
``reading`` turns them into options, and ``validating`` says all that is wrong. ``json_schema`` is
what editors know of a file.
"""
