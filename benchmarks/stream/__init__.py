"""A long stream under random faults, checked from outside.

``faults`` runs it. ``records`` makes the records and says what must become of them, ``feed`` produces
them, ``schedule`` and ``stage`` let faults happen, ``check`` compares the database with the log.
"""
