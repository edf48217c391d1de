"""Benchmarks that read charts, documents and text in scenes, on `vlmbench.families.short_answer`.

ChartQA (relaxed accuracy: vlmbench.parsing.relaxed). Per benchmark a module of its name: files, protocols, metrics.
Not here: TextVQA, whose answers are compared by VQA accuracy.
"""
