"""From raw bytes to checked values.

``Parse`` (``parse``) reads each record as its format says: ``json``, ``csv`` or, for rows of
Parquet, ``typed_rows``. ``Validate`` (``validate``) converts the text of CSV to the types of a
JSON Schema (``convert``) and rejects what does not conform.

Public names: ``Parse``, ``ParseConfig``, ``Validate``, ``load_schema``. Shared parts: ``raw``
(size and encoding), ``numbers`` (exact and bounded), ``json_text`` (the forms of JSON),
``csv_cells`` and ``far_dates``.
"""
