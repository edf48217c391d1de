"""The published variants of the included systems, by exact name.

- variants: configs and sources. model_stats: their sizes, counted without weights.
- training_stages: what each stage of their trainings trained, and who says so.

Learning rates, data and steps belong to training/recipes.
"""
