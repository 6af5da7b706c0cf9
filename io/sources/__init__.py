"""Where records come from: one source for each kind of URI."""
