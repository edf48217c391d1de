"""What benchmarks of one kind share. A benchmark is a table of protocol rules, a reader of its files, and its metrics.

Here: `base` (Benchmark, ProtocolRules), the families built on it, the readers of official files, and `answer_files`.
Not here: anything that one benchmark alone needs; that stays in its own file, in the folder of its family.
"""
