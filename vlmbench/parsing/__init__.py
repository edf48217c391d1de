"""Readers of model answers: text to yes or no, option letters, numbers, boxes; and the matchers of texts.

Belongs here: rules that two benchmarks share, each with the official code that it follows. Not here: which rule a
protocol uses (tasks/), scores.
In reading order: thinking (what a model thinks before it answers), text (normalisation of answers), text_match (exact,
contained, plain equality), yes_no, options (letters of options; letters/ has those of further sources), boxes,
vqa_accuracy (agreement with ten people).
"""
