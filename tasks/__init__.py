"""The benchmarks, one file each, in the folder of their family.

`catalog` names them all. `yes_no`, `multiple_choice`, `short_answer`, `captions`, `grounding` and `judged` hold them: a
benchmark's own file is its protocols, its files and its metrics. `samples` holds the embedded samples and what draws
them.

Not here: what benchmarks of one kind share (vlmbench/families), readers of common file layouts (vlmbench/data/tables),
parsers of answers (vlmbench/parsing), metrics and intervals (vlmbench/stats). No benchmark names a model.
"""
