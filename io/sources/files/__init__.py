"""Files and objects of S3 as a source, read as JSON, CSV, Parquet or Avro.

``source`` lists what a glob matches, and ``plan`` cuts what the ledger lacks into splits. One split
is one object, or a byte range of one, as ``manner`` decides. ``walk`` reads all splits one after
another; ``watch`` never ends and reads files as they grow. ``text`` reads one split: it
decompresses (``decompress``) and decodes (``encodings``) the bytes, and a framer (``framing``,
``csv/``, ``json/``) cuts the records. ``parquet/`` and ``avro/`` read rows. What the first bytes of
an object say is in ``magic``, and ``look`` tells the format where the name does not. ``aside/`` has
what is not read. Whatever cannot be read becomes a failure of its object or record (``failures``)
and never ends the run.

Public: ``source.FilesSource``, ``csv.options.CsvOptions``, ``json.options.JsonOptions``,
``formats.FORMATS``.
"""
