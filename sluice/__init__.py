"""The command `sluice`: every program of the project under one name, completion, what is installed.

It is a package apart, so that the command can say so where another folder hides one of the others.
"""
