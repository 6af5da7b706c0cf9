"""Where the database becomes the limit: a model on measured costs."""
