"""One figure several times: sampled answers, runs of a judge, models trained from several seeds.

Belongs here: how much of a figure's variance comes from the questions, how much from each repetition, and what follows
for intervals and differences. Not here: how several answers become one metric (stats/figures/draws.py), grades of a
judge (stats/judges), reading runs (compare/groups/recipes.py).
In reading order: replicates (parts of the variance, interval, difference).
"""
