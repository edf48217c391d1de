"""What a history of runs of one model says: whether it has drifted, from the differences between successive runs.

Belongs here: tests over many runs in their order, with an error that holds however long the history becomes.
Not here: two runs (paired.py, noninferiority.py), and which runs form a history (compare/history.py).
"""
