"""Tests of a paired difference that need nothing but numbers, and how large a difference matters.

Belongs here: distributions and formulas of one difference. Not here: pairing the metrics of two runs (stats/paired.py).
In reading order: amounts (`1`, `2%`, `mme=20`), sign_flips (swapped clusters without drawing any), equivalence (two
one-sided tests).
"""
