"""Pruning: scores of heads, neurons, layers and single weights, and the choice of what is taken out.

- prune: all of it, a model in, a smaller model and a record out. importance: the scores, as formulas on tensors.
- calibrate: what the formulas need of a model, measured on batches. choose: scores and ratios to what is kept.
- store: the pruned model on disk with its record.
- zeros: weights that were set to 0 stay 0 while the rest trains.

How a smaller network is built belongs to models/network/pruning.py, ratios to recipe/pruning.py, and the training
afterwards to loop/.
"""
