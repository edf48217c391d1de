"""Answer files of other programs: which column holds the model's answers, and which question each answer is for.

In reading order: predictions (rows of any table, joined with the samples), answer_columns (whose column is whose, by
the names of all of them), nested_rows (rows by key, lists without brackets, subfolders), question_files (LLaVA's row
numbers), unnumbered_answers (answers in the questions' order), probabilities (numbers beside words, or in place of
them), attention_maps (what a model looked at, by question).
Not here: formats of one benchmark (tasks/) and what families write (vlmbench.families.answer_files).
"""
