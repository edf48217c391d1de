"""More than two runs that belong together: a run and its perturbed runs, the seeds of a recipe.

Belongs here: what is said of a group, or of two groups. Not here: two runs (compare/compare.py).
In reading order: perturbation_report (RUN/perturbations.json), recipes (means over training seeds).
"""
