"""The gate: whether a run got worse than a baseline by more than is allowed.

Belongs here: what is tested, what is allowed, and what the tests come to. Not here: how two runs are paired
(compare/), the statistics of one test (stats/noninferiority.py), tables and files (reports/text/).
In reading order: gate (`vlmbench check`), rules (what is asked for), planned (what it tests), parts (guards and bars),
verdict (each verdict in a sentence).
"""
