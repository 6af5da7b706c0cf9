"""Mappings: records shaped by a document, without a program.

``Mapping`` (``mapping``) is read from a document (``spec``, ``cast_spec``) into ``operations``, and
knows which source fields it hides and which cells of CSV it passes on (``lineage``). ``compiled``
makes one function of all its operations, and ``map`` applies it to batches.

Public names: ``Mapping``, ``Map``. Shared parts: ``paths`` (places within a value), ``origin_values``
(``@source`` and the like), ``expressions`` (JMESPath), ``hiding`` (hash and mask), ``casts`` (types).
"""
