"""A run that is still going, seen from another process: what it has answered so far, and the scores of that.

Belongs here: reading an unfinished run's folder without its model and without touching it. Not here: pages
(reports/live/).
In reading order: replanning (what the run asks, planned again from run.json), tail (its log, read as it grows),
snapshot (both as scores so far, and as a folder that reports can read).
"""
