"""The conditions of routes: what they say, and whether a record meets them."""
