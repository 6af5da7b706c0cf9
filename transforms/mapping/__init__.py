"""Mappings: records shaped by a document, without a program.

``Mapping`` (``mapping``) is read from a document (``reading``) into ``operations``, and knows which
source fields it hides and which cells of CSV it passes on (``lineage``). ``compiling`` makes a function
of all its operations, and ``map`` applies it to batches.

Public names: ``Mapping``, ``Map``. Shared parts: ``paths`` (places within a value), ``origin_values``
(``@source`` and the like), ``expressions`` (JMESPath), ``objects`` (what has parts), ``hiding`` (hash and
mask), ``casts`` (types).
"""
