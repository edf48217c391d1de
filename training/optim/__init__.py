"""Optimizers that torch does not have in the form that recipes need.

- muon: matrices by orthogonal steps, all else by AdamW, in one optimizer with one state to save.

Not here: which parameters are moved, at which rate (training/loop/learner.py), and schedules (training/recipe/).
"""
