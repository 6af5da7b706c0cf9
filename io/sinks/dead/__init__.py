"""Which dead letters are alike: their groups, kept in step with the jobs in every transaction."""
