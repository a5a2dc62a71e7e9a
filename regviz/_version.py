"""The version, for those who cannot import the package for it: that reaches torch."""

__version__ = "0.1.0"
