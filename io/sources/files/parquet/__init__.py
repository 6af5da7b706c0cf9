"""Parquet: the rows of an object as plain Python values, and as the bytes kept of each row.

``reader`` decodes pages into Arrow batches and cuts them to the limits of a batch. ``arrow_rows``
turns a batch into rows, column by column (``arrow_columns``); a column that Arrow cannot convert
exactly is read value by value (``arrow_scalars``). ``arrow_types`` says what a type holds.

Public: ``reader.ParquetReader``.
"""
