"""The main job: what is asked, asking it, and storing every answer at once.

In reading order: selection (which questions), few_shot (which solved ones are shown before), capabilities (what a model
must be able to do), planning (samples, requests, keys), image_hashes, watching (what may end a run early), runner
(groups by image, answers into the store, scores), record_columns (what is kept of it all).
Not here: which model, judge and folder, which vlmbench.runs.evaluation decides.
"""
