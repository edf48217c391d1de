"""Figures with intervals, comparisons with tests, and what a comparison can find.

Belongs here: statistics of scored items, whatever the benchmark. Not here: what a task counts as right (tasks/), the
rule of the gate (compare/).
In reading order: metrics (sums over items to figures), figures/ (those of several benchmarks), clustered/ (intervals of
shares, areas and sums of clustered answers), intervals (figures to confidence intervals), influence (how much each
cluster moves a figure), pairs/ (tests that need nothing but numbers), paired (two runs over the same items),
noninferiority (the decision of the gate), sequential/ (a gate that is looked at while a run goes on), trends/ (a
history of runs), power (what a comparison finds), seeds/ (one figure several times).
docs/evaluate/statistics.md has the formulas.
"""
