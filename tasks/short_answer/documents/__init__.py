"""Benchmarks that read charts, documents and text in scenes, on `vlmbench.families.short_answer`.

ChartQA (relaxed accuracy: vlmbench.parsing.relaxed); DocVQA, InfographicVQA and ST-VQA (ANLS:
vlmbench.parsing.edit_distance), which share the protocols and files in `challenge`; OCRBench (containment). Per
benchmark a module of its name: files, protocols, metrics.
Not here: TextVQA, whose answers are compared by VQA accuracy.
"""
