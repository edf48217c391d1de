"""Where in an image something is: boxes by their overlap with the right ones, points by whether they lie in it.

Belongs here: what benchmarks of one box (`boxes`), of all boxes (`detection`) and of points (`points`) share.
Not here: readers of boxes and points in an answer (vlmbench.parsing.boxes and points).
"""

from .boxes import Form, Grounding, GroundingRules, above_half, agreements, at_least_half, box_target, centres, overlaps

__all__ = [
    "Form",
    "Grounding",
    "GroundingRules",
    "above_half",
    "agreements",
    "at_least_half",
    "box_target",
    "centres",
    "overlaps",
]
