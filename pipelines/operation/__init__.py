"""What an operator asks and does: the audit, actions on failed records, publishing changes.

The commands beside this folder parse their options first, and then import from here what they need:
`--help` waits for nothing, and a question to the database not for Beam.
"""
