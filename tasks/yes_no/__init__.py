"""Benchmarks answered by yes or no, or true or false (`vlmbench.families.yes_no`): POPE, MME, VSR, Hateful Memes,
HallusionBench, NaturalBench, AMBER.

One module per benchmark: protocols, official files, answer files, metrics, sizes. Readers of answers:
vlmbench.parsing.yes_no; precision, recall and F1: vlmbench.stats.figures.binary. Not here: what two benchmarks share,
which belongs to the family.
"""
