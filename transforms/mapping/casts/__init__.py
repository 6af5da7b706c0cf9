"""Casts: ``numbers``, ``words`` (boolean), ``texts`` (text, json), ``dates`` by ``formats`` or epoch."""
