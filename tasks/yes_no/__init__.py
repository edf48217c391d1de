"""Benchmarks answered by yes or no, or true or false (`vlmbench.families.yes_no`): POPE, MME, VSR, Hateful Memes.

Per benchmark a module of its name (protocols, metrics, sizes), NAME_files (official files) and, where its answer files
take more than a few lines, NAME_answers. Readers of answers: vlmbench.parsing.yes_no; precision, recall and F1:
vlmbench.stats.binary. Not here: what two benchmarks share, which belongs to the family.
"""
