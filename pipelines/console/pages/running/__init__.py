"""What runs, what waits, what was done, and the controls of pipelines."""
