"""The command line: words to typed options and back, and nothing else.

Belongs here: parsing arguments, printing results, exit codes. Not here: work that Python code could want too; that is
in runs/, compare/ and the other packages below.
In reading order: main (the table of verbs, errors, signals), verbs/ (one file per verb: `add_arguments` and `run`),
options/ (options that several verbs share), completion (the TAB key), draw_boxes (boxes on a copy of an image).
`--help` must stay fast: verbs are imported when they are used, heavy libraries inside functions.
"""
