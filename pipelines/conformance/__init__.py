"""Whether a database keeps what this program promises: checks in a place of its own there.

``suite`` has the list of checks and carries them out, ``ground`` makes and removes the place,
``check`` says what a check is. Each module of ``checks`` has the checks of one subject.
"""
