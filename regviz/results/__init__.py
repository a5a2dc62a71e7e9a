"""Judge: metrics, verdicts, early stopping, sweeps and comparisons of what runs came to."""
