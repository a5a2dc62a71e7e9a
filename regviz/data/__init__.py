"""Data: the generated sets, and points of the user's own."""
