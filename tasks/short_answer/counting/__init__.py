"""Benchmarks that ask how many there are, on `vlmbench.families.short_answer`: CountBenchQA, TallyQA, PixMo-Count.

`protocols` has what they share. Readers of counts: vlmbench.parsing.numbers. Per benchmark a module of its name.
"""
