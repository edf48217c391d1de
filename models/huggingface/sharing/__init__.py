"""What questions about the same images share over a transformers model, and the trial that decides it.

- packed: the images' prefix once, the questions as one packed row behind it.
- positions, masks: what tokens behind a prefix are given, found from what the model gives the prefix and its config.
- trial: whether a model may share, by its structure and by comparing logits with plain runs.
"""
