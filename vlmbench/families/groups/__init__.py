"""Questions that count together: rotations of one question's options (`circular`), and groups that are right as wholes.

Belongs here: how such questions are found in a run, and the figures of their groups.
Not here: the figures themselves (vlmbench.stats.figures.question_groups, question_pairs).
"""

from .whole import members, sized, whole_groups

__all__ = ["members", "sized", "whole_groups"]
