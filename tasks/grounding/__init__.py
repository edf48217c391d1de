"""Benchmarks of places in an image: RefCOCO, RefCOCO+, RefCOCOg, COCO detection (boxes), ScreenSpot and v2 (points).

`refcoco` has all three: protocols, official files, the hub's rows, answer files and metrics; `refcoco_reg` asks the
other way round, for words about a box. `coco_detection` asks for all boxes of a category. `screenspot` has both
versions; `screenspot_files` reads their files. Readers: vlmbench.parsing.boxes and points.
"""
