"""Training: recipes as typed functions, and the loop that runs them.

Rooms, top first; imports go down only:
- recipes: one file per system. checks: the same digits again.
- loop: stages, steps, checkpoints, resumption.
- distil: what a teacher says, for a student.
- scenes: rows from drawn scenes. sources: rows from files in their official formats.
- pruning: heads, neurons, layers and single weights taken out of a model before it trains.
- recipe: what a recipe is, its limits, schedules and plan. optim: optimizers.

Models are named as strings and used through vlmbench.base.trainable; nothing here imports models, tasks or reports.
"""
