"""Forget in the ledger what files held that are gone: which may be forgotten, and the deletion."""
