"""What questions about the same images share over a transformers model.

- packed: the images' prefix once, the questions as one packed row behind it.
- states: the prefix once, its state copied for each question. features: an image's features alone.
- positions, masks: what tokens behind a prefix are given, found from what the model gives the prefix and its config.

Nothing here decides whether a model may share: prefix_check does, by its structure and by a trial.
"""
