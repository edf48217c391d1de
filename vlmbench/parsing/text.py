"""Text to answer: the readers that benchmarks share, each named after the code whose rule it is.

Short answers: vqa_normal (the VQA challenge), m4c_normal (TextVQA; EvalAI), vizwiz_normal (VizWiz), lavis_normal,
               vlmevalkit_normal, lmms_normal, unpunctuated (lmms-eval), converted (LLaVA), qwen_vl_cut (Qwen-VL)

Sources:
- VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py@a013f004; mmf mmf/utils/m4c_evaluators.py@b0ffc7fb
- VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05
- LAVIS lavis/common/vqa_tools/vqa_eval.py@506965b9; Qwen-VL eval_mm/evaluate_vqa.py@aa00ed04
- LLaVA scripts/convert_gqa_for_eval.py@c121f043; lmms-eval lmms_eval/tasks/_task_utils/vqa_eval_metric.py@75571cfe
- VizWiz VQAEval, as in AttentionX/InstructBLIP_PEFT lavis/common/vqa_tools/vqa_eval_vizwiz.py@97ae217f

The VQA rules are those of the official code run by Python 3: `\\d` and lower() know all of Unicode. Under the original
Python 2 they differ on texts such as Arabic digits or "İ".
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import lru_cache

# --------------------------------------------------------------------------------------------------- short answers

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_DIGIT_COMMA = re.compile(r"(\d)(,)(\d)")
_DIGIT_COMMAS = re.compile(r"(?<=\d)(\,)+(?=\d)")
"""The EvalAI processor's: several commas too."""
_PERIOD = re.compile(r"(?!<=\d)(\.)(?!\d)")
"""The official pattern: a mistyped look-behind that is always true, so any period before a non-digit goes."""
_STRAY_PERIOD = re.compile(r"(?<!\d)\.(?!\d)")
"""The same, fixed: VLMEvalKit."""
_PERIODS_TAKEN = 32
"""The official code passes re.UNICODE (32) as the count of substitutions."""
_NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5"}
_NUMBERS |= {"six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
_ARTICLES = frozenset(("a", "an", "the"))


def _contractions() -> dict[str, str]:
    """Words without an apostrophe to words with it. A word with two apostrophes is known by lacking either."""
    plain = (
        "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd "
        "he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've "
        "needn't not've o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll "
        "somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd "
        "there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't "
        "what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll "
        "why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've"
    )
    table = {"somebody'd": "somebodyd"}  # the official table's own slip
    table.update(dict.fromkeys(("ow's'at", "'ows'at", "'ow'sat"), "'ow's'at"))
    for word in plain.split():
        for index, letter in enumerate(word):
            if letter == "'":
                table[word[:index] + word[index + 1 :]] = word
    del table["we'dve"]  # which the official table lacks
    return table


_CONTRACTIONS = _contractions()


def _vizwiz_contractions() -> dict[str, str]:
    """VizWiz's table: the same words, most of them with a typographic apostrophe, which no answer matches."""
    straight = {"ain't", "aren't", "can't", "could've", "couldn't", "we've", "where's", "who've"}
    straight |= {"couldn'tve", "hadn'tve"}

    def curly(word: str) -> str:
        return word if word in straight else word.replace("'", "’")

    return {curly(key): curly(word) for key, word in _CONTRACTIONS.items()} | {"we’dve": "we’d’ve"}


_VIZWIZ_CONTRACTIONS = _vizwiz_contractions()


def _depunctuated(text: str, period: re.Pattern[str], number: re.Pattern[str] = _DIGIT_COMMA) -> str:
    """Delete each mark that touches a space anywhere in the text, turn the others into spaces; then drop periods.

    A number such as 1,000 anywhere makes every mark a deleted one.
    """
    deleted = number.search(text) is not None
    out = text
    for mark in _MARKS:
        if mark in text:
            out = out.replace(mark, "" if deleted or mark + " " in text or " " + mark in text else " ")
    return period.sub("", out, count=_PERIODS_TAKEN)


def vlmevalkit_depunctuated(text: str) -> str:
    """VLMEvalKit's punctuation rules: as the challenge's, but "3." keeps its period."""
    return _depunctuated(text, _STRAY_PERIOD)


def _worded(text: str, contractions: Mapping[str, str] = _CONTRACTIONS) -> str:
    """Lower-case; number words to digits, articles dropped, apostrophes put back."""
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(contractions.get(word, word) for word in words if word not in _ARTICLES)


def vqa_cleaned(text: str) -> str:
    """What the VQA challenge does to every answer first: line ends and tabs to spaces, stripped."""
    return text.replace("\n", " ").replace("\t", " ").strip()


@lru_cache(maxsize=1 << 18)
def vqa_depunctuated(text: str) -> str:
    """The punctuation half of the VQA challenge's normaliser, on a cleaned answer. LAVIS: all it does to targets."""
    return _depunctuated(text, _PERIOD)


@lru_cache(maxsize=1 << 18)
def vqa_normal(text: str) -> str:
    """The VQA challenge's normaliser: cleaned, punctuation, then numbers, articles and contractions.

    The challenge applies it only where the ten human answers differ; that is the task's business.
    """
    return _worded(vqa_depunctuated(vqa_cleaned(text)))


@lru_cache(maxsize=1 << 18)
def lavis_normal(text: str) -> str:
    """The same halves without the cleaning, as LAVIS's GQA task applies them."""
    return _worded(vqa_depunctuated(text))


@lru_cache(maxsize=1 << 18)
def vlmevalkit_normal(text: str) -> str:
    """VLMEvalKit's process_answer: as the challenge's, but "3." keeps its period."""
    return _worded(vlmevalkit_depunctuated(vqa_cleaned(text)))


@lru_cache(maxsize=1 << 18)
def m4c_normal(text: str) -> str:
    """The EvalAI processor of TextVQA (mmf, LLaVA): commas and question marks deleted first, 's parted."""
    lowered = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    return _worded(_depunctuated(vqa_cleaned(lowered), _PERIOD))


@lru_cache(maxsize=1 << 18)
def lmms_normal(text: str) -> str:
    """What lmms-eval's VQAv2 does to both sides: the two halves of the EvalAI processor, without what comes before."""
    return _worded(_depunctuated(vqa_cleaned(text), _PERIOD, _DIGIT_COMMAS))


@lru_cache(maxsize=1 << 18)
def vizwiz_normal(text: str) -> str:
    """VizWiz's normaliser: the challenge's with another table, so that "dont" becomes "don’t" and matches nobody."""
    return _worded(vqa_depunctuated(vqa_cleaned(text)), _VIZWIZ_CONTRACTIONS)


def lowered(text: str) -> str:
    """Without blanks around it, in lower case."""
    return text.strip().lower()


_UNPUNCTUATED = str.maketrans("", "", string.punctuation)


def unpunctuated(text: str) -> str:
    """lmms-eval's exact_match with ignore_case and ignore_punctuation: stripped, lower, ASCII punctuation deleted."""
    return text.strip().lower().translate(_UNPUNCTUATED)


def converted(text: str) -> str:
    """LLaVA's conversion of answers for GQA's scorer: stripped (by its loader), final full stops off, lower-case."""
    return text.strip().rstrip(".").lower()


def qwen_vl_cut(text: str) -> str:
    """Qwen-VL's cut for GQA: the part before . , or !, after "is ", "are ", "a ", "an ", "the ", before " of".

    The words are looked for as substrings, so "sofa big" is read as "big".
    """
    answer = text.strip().split(".")[0].split(",")[0].split("!")[0].lower()
    for word in ("is ", "are ", "a ", "an ", "the "):
        if word in answer:
            answer = answer.split(word)[1]
    return answer.split(" of")[0].strip()


def full_width_folded(text: str) -> str:
    """lmms-eval's OCRBench: full-width ASCII and the ideographic blank as their plain forms; nothing else changes."""
    return text.translate(_FULL_WIDTH)


_FULL_WIDTH: Mapping[int, int | str] = {**{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}, 0x3000: " "}
