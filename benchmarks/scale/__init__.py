"""Where the database becomes the limit: a model of a cluster on measured costs.

``measure`` measures the costs, ``model`` simulates, ``scale`` prints the tables of docs/scaling.md.
"""
