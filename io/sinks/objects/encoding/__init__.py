"""Records as objects: their columns, their folders, and their bytes as Parquet or JSON lines.

``columns`` says which columns a dataset has, and of which types (``column_types``): those of a JSON
Schema (``schema_types``) or of a Parquet source (``stored_types``), otherwise the record's JSON text.
``rows`` makes Arrow's columns of records by way of ``cells/``, and sets aside what does not fit.
``parquet`` and ``json_lines`` write them; ``partition`` says into which folder each record goes, and
``folder_names`` how a folder is spelled. All of it is pure: no client, no database.
"""
