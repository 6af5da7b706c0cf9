"""Rows that PostgreSQL refuses, found many at a time: why each is refused, in the server's own words.

``unreadable`` finds values that a type cannot read, ``conditions`` rows that break constraints, and
``trial`` whatever else is refused, row by row but on the server. What none of them finds, ``isolate``
finds. A ``Refusal`` is what the server says of one row.
"""
