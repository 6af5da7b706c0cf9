"""Whether the objects of a sink, its manifest and its state say the same."""
