"""WRONG on purpose: what is often written, beside which the right one can be shown.

Nothing but the labs of the misconception wall and the page that shows this code may use it. Every
function says in its docstring what is wrong, why, and who says so.
"""
