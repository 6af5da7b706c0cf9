"""Messages whose bytes name a schema of a registry: Confluent's wire format.

``wire`` tells which schema a message names, ``schema`` is what a registry answers, ``decoders`` keeps
what was made of it in each process, ``decode`` decodes a batch, and ``await_schemas`` waits, before a
batch is decoded, for the schemas that it needs.
"""
