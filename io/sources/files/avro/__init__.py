"""Avro object files: the records of an object as plain Python values.

``blocks`` cuts an object into blocks of bounded size, goes on after a damaged one, and
decompresses. ``shapes`` says, from the schema, how values become those of other formats.
``reader`` decodes with fastavro and makes batches; the bytes kept of a record are those of
``transforms.parse.typed_rows``, as for Parquet.

Public: ``reader.AvroReader``.
"""
