"""Verdicts that may be read at any time: a run that looks at its own results as they come, and stops when they suffice.

Belongs here: p-values and limits that hold at every look at once. Not here: what is asked when, and how often it is
looked at (compare/early/).
In reading order: boundary (any metric over many images: normal, at a level that grows with time), betting (single
questions that are right or wrong: exact at any number), looks (both as one verdict about an allowed drop).
"""
