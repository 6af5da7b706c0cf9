"""``--fair``: read ahead, and let the tenants of a topic take turns, so that a flood of one delays no other.

``FairReader`` wraps the reader of a split. ``tenants`` says whose a message is, ``Window`` holds what was read
ahead, ``RoundRobin`` shares a round among the tenants, ``Pace`` says how much a round is, and ``HeldBatch``
cuts what was chosen out of the batches of the client.
"""
