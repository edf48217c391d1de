"""Benchmarks with short answers, on `vlmbench.families.short_answer`: GQA, VQAv2, OK-VQA, TextVQA, VizWiz.

`documents`: charts, documents, text in scenes. `counting`: how many there are.
Per benchmark a module of its name: official files, protocols, answer files, metrics. VQAv2 and OK-VQA read their files
with vlmbench.data.official.vqa_challenge. `gqa_metrics` has the figures of GQA's own script, grounding among them.
Matchers: vlmbench.parsing.matchers and vqa_accuracy; normalisers: vlmbench.parsing.text. Protocols of several
benchmarks: vlmbench.families.shared_protocols.
"""
