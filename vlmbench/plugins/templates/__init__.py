"""The files that `vlmbench new` writes, as they are written but for the name: my_task and my_model stand for it."""
