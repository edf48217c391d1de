"""Benchmarks with short answers, on `vlmbench.families.short_answer`: GQA, VQAv2, OK-VQA, TextVQA, VizWiz.

Per benchmark a module of its name (protocols, metrics, sizes) and NAME_files (official files and answer files); VQAv2
and OK-VQA read theirs with vlmbench.data.official.vqa_challenge. `gqa_metrics` and `gqa_grounding` are the figures of
GQA's own script. Matchers: vlmbench.parsing.matchers and vqa_accuracy; normalisers: vlmbench.parsing.text.
"""
