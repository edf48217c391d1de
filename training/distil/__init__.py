"""Distillation: a recipe's student learns from what a teacher said, which is asked once and kept in a file.

- student: gives a recipe a teacher. teaching: the teacher of one training, checked and asked.
- taught_model: the student as the loop sees it, rows with what the teacher said. losses: the formula.
- asking: turns of rows as questions. teacher: opens the model, refuses one that cannot teach. answer_file: the file.

The settings belong to recipe/teacher.py, stages and steps to loop/.
"""
