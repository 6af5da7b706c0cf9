"""Reading: the one splittable DoFn, its restriction and its readers."""
