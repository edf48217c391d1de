"""Benchmarks whose answers are places in an image, on `vlmbench.families.grounding`: RefCOCO, RefCOCO+, RefCOCOg.

`refcoco` has protocols and metrics; `refcoco_files` the official files, the hub's rows and the answer files. Readers of
boxes and their overlap: vlmbench.parsing.boxes.
"""
