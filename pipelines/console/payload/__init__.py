"""How the bytes of a record are shown: as text, as hexadecimal, as JSON, each within bounds.

Pure: templates only have to escape what these functions return.
"""
