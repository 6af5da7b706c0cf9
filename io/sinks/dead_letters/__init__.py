"""A second place for dead letters, beside the table of jobs: a folder, an S3 prefix or a topic.

``by_uri.dead_letter_sink_for`` chooses ``DeadLetterFiles``, ``DeadLetterObjects`` or ``DeadLetterTopic``
by the URI. Each checks at the start that it can be written (``check``), and returns from ``deliver``
only when the dead letters are durable there; before that they are not settled in the database. After
a crash they may be delivered again, so each may appear more than once. ``json_lines`` is the format of
files and objects, ``headers`` are those of a topic's messages.
"""
