"""`vlmbench.evaluate` from Python, and what it returns.

In reading order: calling (the keywords of `evaluate`, model and task objects), gating (a gate that may end it), result
(scores, records, comparison and report of a finished run), samples (its questions with images, for notebooks).
Not here: the evaluation itself (runs/evaluation.py), which `vlmbench run` shares.
"""

from .calling import VariantOptions, adapter, evaluate, variant_of
from .gating import GateOptions, GateResult
from .result import Compared, Result
from .samples import Samples

__all__ = [
    "Compared",
    "GateOptions",
    "GateResult",
    "Result",
    "Samples",
    "VariantOptions",
    "adapter",
    "evaluate",
    "variant_of",
]
