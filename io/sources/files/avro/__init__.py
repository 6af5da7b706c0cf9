"""Avro object files: the records of an object as plain Python values.

``blocks`` cuts an object into blocks, goes on after a damaged one, and hands out long ones in
pieces; ``codecs`` decompresses both. ``shapes`` says, from the schema, how values become those of
other formats, ``costs`` how much memory they take. ``decoder`` decodes the elements of a block
with fastavro: as a whole, or, in ``elements``, one by one within bounded memory. ``reader`` makes
batches; the bytes kept of a record are those of ``transforms.parse.typed_rows``, as for Parquet.

Public: ``reader.AvroReader``.
"""
