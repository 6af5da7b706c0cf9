"""From operations to a function: ``code`` holds its lines, ``templates`` writes them for any records, and
``uniform`` for records with the same fields; ``compiled`` chooses.
"""
