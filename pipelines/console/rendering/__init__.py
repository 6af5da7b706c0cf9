"""How the console shows values: templates, hostile text, times, counts."""
