"""Benchmarks whose answers are places in an image, on `vlmbench.families.grounding`: RefCOCO, RefCOCO+, RefCOCOg.

`refcoco` has protocols and splits, `refcoco_files` the official files and the hub's rows, `refcoco_answers` the answer
files. Readers of boxes and their overlap: vlmbench.parsing.boxes.
"""
