"""A pipeline file that is proposed from a sample of the data: ``sluice init``."""
