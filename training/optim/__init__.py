"""Optimizers that torch does not have in this form. Which parameters they move, and when: training/loop/learner.py."""
