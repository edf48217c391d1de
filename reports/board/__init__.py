"""The board: one row a model, made of its runs, and how the rows of a task compare.

Belongs here: what the leaderboard of the site and the table of a paper both show. It reads finished runs and computes
no score of its own: averages are the core's (scoring/suites), differences and tests too (compare, stats).
In reading order: rows (which runs make one row), ranks (ranges of ranks, by corrected tests), leaders (the best of each
task, who is not told apart from it, and who has too few questions to tell), gaps (paired differences from the best),
averages (of suites, by row), published (figures from papers, beside which rows may stand). Not here: HTML and JSON for
the browser (site/), LaTeX and figures (paper/).
"""
