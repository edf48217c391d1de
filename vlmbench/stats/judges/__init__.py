"""Figures of answers that a judge graded: over its runs, how far graders agree, and people's labels beside its grades.

Belongs here: what is computed from grades of answers by more than one grader or run.
Not here: metrics of grades alone (stats/metrics.py), and how judges are asked (scoring/).
"""
