"""The checks, one subject a module: each module has ``CHECKS``."""
