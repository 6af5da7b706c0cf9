"""From groups of options to the parts of a configuration: the tables, the routes, places for objects."""
