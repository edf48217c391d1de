"""Figures of image captions: the tokens of a caption, and what it has in common with those that people wrote.

Belongs here: what pycocoevalcap and CHAIR compute, from texts to figures. Not here: prompts and files of benchmarks
(families/, tasks/), and intervals (stats/).
In reading order: characters and abbreviations (tables), tokenizer (a caption to its tokens), ngrams (sequences of
tokens of all captions as numbers), overlap (CIDEr, BLEU, ROUGE-L); singular and objects (the objects that a
caption names, as CHAIR counts them).
"""
