"""Answers by their edit distance to the right ones: ANLS, the average normalised Levenshtein similarity.

Biten et al., Scene Text Visual Question Answering, ICCV 2019 (arXiv 1905.13648): 1 - distance / length of the longer
text, 0 below one half; of several right answers the nearest counts. The codes part in blanks, in the length, and in
whether one half itself counts.

Sources: the script of the DocVQA challenges, as InternVL has it (internvl_chat/eval/vqa/infographicsvqa_eval.py
@2410d1db); lmms-eval api/metrics.py@75571cfe; VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05; big_vision
big_vision/evaluators/proj/paligemma/transfers/vqa.py@0127fb6b; vikhyat/moondream moondream/eval/docvqa.py@44146f13
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vlmbench.parsing.matchers import Matcher

THRESHOLD = 0.5


def distance(one: str, other: str) -> int:
    """Letters to insert, delete or replace, at least."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(one, other)


def anls(text: str, targets: Sequence[str]) -> float:
    """The challenge's own, also of lmms-eval, VLMEvalKit, InternVL and Qwen-VL; two empty texts are alike.

    Texts are compared in lower case with single spaces; the distance is over the longer one as it came.
    """
    answer = " ".join(text.strip().lower().split())
    shares = []
    for target in targets:
        length = max(len(target.upper()), len(text.upper()))
        edits = distance(" ".join(target.strip().lower().split()), answer)
        shares.append(edits / length if length else 0.0)
    similar = 1 - min(shares)
    return similar if similar >= THRESHOLD else 0.0


def anls_above_half(text: str, targets: Sequence[str], normal: Callable[[str], str] = str.lower) -> float:
    """PaliGemma's: blanks count, exactly one half is 0; an empty right answer must be met by an empty one."""
    text = normal(text)
    return max(_above_half(text, normal(target)) for target in targets)


def _above_half(text: str, target: str) -> float:
    if not target:
        return float(not text)
    share = distance(target, text) / max(len(target), len(text))
    return 1 - share if share < THRESHOLD else 0.0


def anls_stripped(text: str, targets: Sequence[str]) -> float:
    """Moondream's: over the longer text without blanks around it. Two empty texts, of which theirs dies, are a 0."""
    text = text.lower().strip()
    return max(_of_stripped(text, target.lower().strip()) for target in targets)


def _of_stripped(text: str, target: str) -> float:
    length = max(len(text), len(target))
    similar = 1 - distance(text, target) / length if length else 0.0
    return similar if similar >= THRESHOLD else 0.0


def by_similarity(similarity: Callable[[str, Sequence[str]], float]) -> Matcher:
    """A matcher: the answer without blanks around it for tables, and its similarity as it came."""

    def match(text: str, target: str | Sequence[str]) -> tuple[str, float]:
        return text.strip(), similarity(text, (target,) if isinstance(target, str) else target)

    return match
