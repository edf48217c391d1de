"""Benchmarks whose answers are places in an image: RefCOCO, RefCOCO+, RefCOCOg (boxes), ScreenSpot and v2 (points).

`refcoco` has all three: protocols, official files, the hub's rows, answer files and metrics. `screenspot` has both
versions; `screenspot_files` reads their files. Readers: vlmbench.parsing.boxes and points.
"""
