"""Benchmarks whose answers are places in an image: RefCOCO, RefCOCO+, RefCOCOg (boxes), ScreenSpot and v2 (points).

`refcoco` has all three: protocols, official files, the hub's rows, answer files and metrics; `screenspot` both versions,
whose files `screenspot_files` reads. Readers of boxes and their
overlap: vlmbench.parsing.boxes; of points: vlmbench.parsing.points.
"""
