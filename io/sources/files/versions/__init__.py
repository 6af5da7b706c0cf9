"""Files that are written on, touched or renamed: which settled version goes on in which file.

``succession`` finds the settled version whose bytes a file begins with, ``rotation`` the names that
a rotated file may have had. ``takeover`` settles under the new name what was settled under the old
one. ``resting`` waits for a file that is still being written.

Public: ``succession.Successions``.
"""
