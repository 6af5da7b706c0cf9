"""One program for each peer, as its own documentation would have it written.

They run in environments of their own and import nothing of this project.
"""
