"""What every other room stands on: the data model, errors, names, and the few things about a process.

Belongs here: types that travel between rooms, and what needs no room above. Not here: reading data (data/), scoring,
anything that knows a benchmark or a model.
In reading order: samples (sample, request, response, score, record), task, model and metric (what a benchmark, a model
and a figure must have), trainable (what training needs of a model), errors (the tree of all errors), registry (names
to objects), variant (how a user changes a protocol), json_shapes (checks of JSON's types), paths and
files (local paths and URLs, safe reading and writing), settings, renamed_options,
version. Below: process/ (exit codes, signals, terminal).
"""
