"""From a document to operations: ``document`` is YAML or JSON with places, ``spec`` and ``cast_spec``
read it.
"""
