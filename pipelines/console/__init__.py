"""The console: a web application that shows every pipeline of a database, and repairs dead letters.

``command`` has the flags, ``application`` puts the parts together, ``serving`` runs it. ``view`` is what
a screen has of its request; ``pages`` has the screens, ``api`` the same functions as JSON.
"""
