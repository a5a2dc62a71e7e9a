"""Data sets: generated ones, and the user's own points."""
