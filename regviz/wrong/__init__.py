"""WRONG on purpose: common mistakes, to be shown beside the correct version.

Only the labs of the misconception wall and the page that shows this code may use it. The docstring
of each function explains what is wrong and why, and gives a source.
"""
