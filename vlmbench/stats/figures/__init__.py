"""Figures of several benchmarks, as sums over items.

In reading order: binary (counts of yes and no), question_pairs (pairs about one image, by group), question_groups
(groups that are right as wholes), macro (means over groups), answer_distribution (GQA's chi-square), guesses (random
options where official codes take them), draws (one metric of several answers to each question). Not here: the metric
itself (stats/metrics), intervals (stats/intervals).
"""
