"""Files and objects: planning, watching, decompressing and framing their records."""
