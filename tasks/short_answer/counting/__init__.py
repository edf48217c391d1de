"""Benchmarks that ask how many there are, on `vlmbench.families.short_answer`: CountBenchQA, TallyQA, PixMo-Count.

Per benchmark a module of its name: files, protocols, metrics. `protocols` has what several of them share.
Readers of counts: vlmbench.parsing.numbers.
Not here: counting among other questions (VQAv2, MME), and options that are numbers.
"""
