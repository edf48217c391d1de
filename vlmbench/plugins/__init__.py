"""Tasks and models of one's own: files named by `--plugins`, registered from Python, or from a table or a function.

Belongs here: loading and checking what users bring, and command words to models and data. Not here: the included
benchmarks and models (tasks/, models/).
In reading order: api (what `import vlmbench` offers: add_task, add_model, model), loading (files, once each, by
content), table_task (a benchmark from a table), function_model (a model from a function), specs
(`NAME[:CHECKPOINT],k=v` and `--data` to objects), variants (names of published checkpoints), templates/ (what
`vlmbench new` copies).
"""
