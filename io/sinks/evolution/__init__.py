"""Tables that change with their records: what refused records want of a table, and the change itself.

A commit that meets fields without a column is rolled back. ``survey`` says which columns its records
want, ``evolve`` adds them in a transaction of its own, and the commit is tried again. What is refused
is remembered for a while (``refusals``); its records wait (``waiting``), and all others are written.
"""
