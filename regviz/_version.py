"""The version, in a module that imports nothing: the package itself can load torch."""

__version__ = "0.1.0"
