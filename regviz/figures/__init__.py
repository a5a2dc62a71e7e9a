"""Draw: the Plotly figures of live charts, lessons, labs, sweeps and comparisons."""
