"""Where a pipeline runs: the runner and its options, and the job that a cluster was given."""
