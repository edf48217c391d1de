"""Benchmarks whose answers are one of several options: MMBench, ScienceQA, IconQA and more.

They are built on `vlmbench.families.multiple_choice`. Per benchmark a module of its name: official files, protocols,
answer files, metrics.
Readers of letters: vlmbench.parsing.options; tables with images inside: vlmbench.data.tables.image_table.
Not here: what two benchmarks share, which belongs to the family.
"""
