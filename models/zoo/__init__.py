"""The published variants of the included systems, by exact name.

- variants: configs and sources. parameters: their sizes, counted without weights. stages: what their trainings trained.

Learning rates, data and steps belong to training/recipes.
"""
