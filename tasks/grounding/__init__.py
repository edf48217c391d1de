"""Benchmarks whose answers are places in an image, on `vlmbench.families.grounding`: RefCOCO, RefCOCO+, RefCOCOg.

`refcoco` has all three: protocols, official files, the hub's rows, answer files and metrics. Readers of boxes and their
overlap: vlmbench.parsing.boxes.
"""
