"""The main job: what is asked, asking it, and storing every answer at once.

In reading order: selection (which questions), capabilities (what a model must be able to do), planning (samples,
requests, keys), runner (groups by image, answers into the store, scores).
Not here: which model, judge and folder, which vlmbench.runs.evaluation decides.
"""
