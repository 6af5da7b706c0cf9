"""Try mappings, schemas and steps on a few records, without a source and without a database.

``trial`` runs them, ``case_file`` reads the cases of ``sluice test``, and ``verdict`` compares what
came out with what a case expects.
"""
