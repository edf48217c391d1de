"""Benchmarks whose answers a judge grades, and files of verdicts that exist already.

Belongs here: what several judged benchmarks share (`Judged`, reviews of a pair of answers, verdict files).
Not here: judges that only find what an answer says (option_judge, yes_no_judge), and how judges are called (scoring/).
"""

from .grades import Judged, JudgedRules, PairReview, Verdicts, reference_answer
from .verdict_files import GradeLists, ReviewLines

__all__ = [
    "GradeLists",
    "Judged",
    "JudgedRules",
    "PairReview",
    "ReviewLines",
    "Verdicts",
    "reference_answer",
]
