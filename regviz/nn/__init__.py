"""Compute: layers, penalties, optimizers and networks whose parameters have a leading lane axis."""
