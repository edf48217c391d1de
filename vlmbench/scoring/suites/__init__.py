"""Suites: benchmarks that are run together under one name, and the one figure that stands for all of them.

Belongs here: what a suite is, how its average is computed from its members' scores, and how users name and write
suites. Not here: the built-in suites (tasks/suites.py, a table), differences between runs (vlmbench/compare/suites.py).
In reading order: suite (Member, Suite, the formulas), choosing (`--tasks suite:NAME` to tasks), scores (the entry in
scores.json), suite_file (`--suite FILE`), yaml_nodes (YAML with the line of every value).
"""
