"""Parquet: the rows of an object as plain Python values, and as the bytes kept of each row.

pyarrow decodes all values, but it has no bound of memory: it decompresses a page as a whole, however
large its one value is, repeats the entries of a dictionary for all rows of a batch, and does not say
how large a page is before it reads it. So pages' headers are read here, and pyarrow gets a page as
it is, unless it would take too much memory.

``row_groups`` reads Arrow batches, and ``reader`` cuts them to the limits of a batch. Memory is
bounded page by page: ``paged_file`` shows each page's header (``page_headers``, ``thrift``) to
``page_limits``, and ``long_values`` cuts values that are too long out of pages (``block_codecs``).
``footer`` checks what the footer says. ``row_weights`` measures rows, and ``large_rows`` refuses
those that are too large. ``arrow_rows``
turns a batch into rows, column by column (``arrow_columns``); a column that Arrow cannot convert
exactly is read value by value (``arrow_scalars``). ``arrow_types`` says what a type holds.

Public: ``reader.ParquetReader``.
"""
