"""Mathematics: problems with a figure, whose answer is found in a solution by a rule or by a judge.

Read a benchmark's own file first; its readers and its judge's words are in the files whose names begin like it. Not
here: questions of several subjects (multiple_choice), counting (short_answer).
"""
