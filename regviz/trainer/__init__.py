"""A trainer: one process that trains many runs, a short slice each."""
