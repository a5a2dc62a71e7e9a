"""The techniques from scratch: NumPy only, short enough to read aloud.

Each module is a twin of something in the training core. Pages show its source as it stands, run
it on their own numbers, and tests hold it against torch. Nothing in the core uses them.
"""
