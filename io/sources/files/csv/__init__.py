"""CSV: what the user says of it, what is detected, and where each record ends.

``head`` reads the start of an object and finds its delimiter and its header, ``framing`` cuts its
records. Their fields are parsed later (``transforms.parse.csv``).

Public: ``options.CsvOptions``, ``head.read_head``, ``framing.CsvFramer``.
"""
