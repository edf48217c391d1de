"""Drawn scenes and the questions about them: the embedded samples, and data for training.

Belongs here: drawing, and questions whose right answers follow from what was drawn; the same bytes on every machine.
Not here: files in a benchmark's layout (tasks/samples/), training batches (training/scenes/).
In reading order: scene (shapes, colours, places, pixels), lettering (words in a scene), questions (yes or no, counts,
attributes), gqa_questions (questions with GQA's programs), captions and lists (texts about a whole scene),
canvas (flat pictures with small print), charts, pages (forms, tables, posters) and problems (in mathematics).
"""
