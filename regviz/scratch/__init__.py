"""The techniques from scratch: NumPy only, short enough to read aloud.

Each module is the twin of a part of the training core. Pages show its source unedited and run it on
measured numbers; tests compare it with torch. Nothing in the core uses these modules.
"""
