"""Intervals of the kinds of metrics whose answers come in clusters, from arrays alone.

Belongs here: what is known about a share, an area or a sum over strata when questions about one image are alike. Not
here: which metric is of which kind (stats/intervals.py).
docs/evaluate/statistics.md has the formulas, and tests/performance/statistics the simulations that chose them.
"""
