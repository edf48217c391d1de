"""Arabic: two genders; verbs, adjectives and pronouns agree with their noun. Written from right to left, as Unicode has
it: in the order of reading, without marks of direction.
"""

from __future__ import annotations

from vlmbench.scenes.languages.grammar import FEMININE, MASCULINE, Language, Noun

VERBS = {
    MASCULINE: {"there": "يوجد", "lies": "يقع", "its": "ه"},
    FEMININE: {"there": "توجد", "lies": "تقع", "its": "ها"},
}
"""`there is`, `lies`, and the pronoun that stands for the noun behind a preposition."""
NOUNS = {
    "circle": "f دائرة", "square": "m مربع", "triangle": "m مثلث", "star": "f نجمة", "cross": "m صليب",
    "heart": "m قلب", "diamond": "m معين", "ring": "f حلقة", "moon": "m قمر", "arrow": "m سهم", "house": "m بيت",
    "hourglass": "f ساعة رملية", "figure": "m شكل", "symbol": "m رمز", "object": "m جسم",
}  # fmt: skip
ADJECTIVES = {
    "red": "أحمر حمراء", "orange": "برتقالي برتقالية", "yellow": "أصفر صفراء", "green": "أخضر خضراء",
    "cyan": "سماوي سماوية", "blue": "أزرق زرقاء", "purple": "بنفسجي بنفسجية", "white": "أبيض بيضاء",
    "small": "صغير صغيرة", "large": "كبير كبيرة", "solid": "مصمت مصمتة", "striped": "مخطط مخططة",
    "dotted": "منقط منقطة", "black": "أسود سوداء", "gray": "رمادي رمادية", "brown": "بني بنية",
    "teal": "أزرق_مخضر زرقاء_مخضرة", "plain": "سادة سادة", "shaded": "متدرج متدرجة",
    "checkered": "ذو_مربعات ذات_مربعات",
}  # fmt: skip
RELATIONS = {"to the left of": "على يسار", "to the right of": "على يمين", "above": "فوق", "below": "تحت"}
DIRECTIONS = {name.removesuffix(" of"): word for name, word in RELATIONS.items()}
PLACES = {"top": "في أعلى", "bottom": "في أسفل", "left": "على يسار", "right": "على يمين"}


def _noun(entry: str) -> Noun:
    """The definite article stands before a noun and before its adjective too: الساعة الرملية."""
    gender, _, word = entry.partition(" ")
    the = " ".join(f"ال{part}" for part in word.split())
    return Noun(gender, {"word": word, "the": the, **VERBS[gender]})


def _adjective(entry: str) -> dict[str, str]:
    masculine, feminine = (word.replace("_", " ") for word in entry.split())
    return {MASCULINE: masculine, FEMININE: feminine, "def": f"ال{masculine}"}


ARABIC = Language(
    "Arabic",
    "أجب بالإنجليزية.",
    nouns={english: _noun(entry) for english, entry in NOUNS.items()},
    adjectives={english: _adjective(entry) for english, entry in ADJECTIVES.items()},
    words={
        "rel": RELATIONS,
        "r": DIRECTIONS,
        "s": DIRECTIONS,
        "p": PLACES,
        "q": PLACES,
        "side": {"left": "الأيسر", "right": "الأيمن"},
    },
    sentences={
        "exists": "هل {k_there} {k_word} في الصورة؟",
        "exists so": "هل {k_there} {k_word} {w_k} في الصورة؟",
        "is so": "هل {k_the} {w_k}؟",
        "is one": "هل {k_the} {w_k} أم {v_k}؟",
        "is both": "هل {k_the} {w_k} و{v_k}؟",
        "color": "ما لون {k_the}؟",
        "size": "ما حجم {k_the}؟",
        "pattern": "ما نقش {k_the}؟",
        "side": "في أي جانب من الصورة {k_lies} {k_the}؟",
        "place": "هل {k_the} {p} الصورة أم {q} الصورة؟",
        "on side": "هل {k_lies} {k_the} في الجانب {side} من الصورة؟",
        "thing": "ما الشيء {w_def}؟",
        "category": "أي {c_word} هو {w_def}؟",
        "thing is": "هل الشيء {w_def} {k_word} أم {l_word}؟",
        "related": "هل {k_the} {rel} {l_the}؟",
        "relation": "هل {k_the} {r} {l_the} أم {s}{l_its}؟",
        "neighbor": "ما الشيء الموجود {rel} {k_the}؟",
        "neighbor color": "ما لون الشيء الموجود {rel} {k_the}؟",
        "both": "هل {k_there} {k_word} و{l_word} معًا في الصورة؟",
        "either": "هل {k_there} {k_word} أو {l_word} في الصورة؟",
        "same color": "هل لون {k_the} ولون {l_the} متماثلان؟",
        "same pattern": "هل نقش {k_the} ونقش {l_the} متماثلان؟",
        "other color": "هل لون {k_the} ولون {l_the} مختلفان؟",
        "other pattern": "هل نقش {k_the} ونقش {l_the} مختلفان؟",
        "larger": "أيهما أكبر: {k_the} أم {l_the}؟",
        "smaller": "أيهما أصغر: {k_the} أم {l_the}؟",
        "background is": "هل الخلفية {g_f}؟",
        "background is one": "هل الخلفية {g_f} أم {h_f}؟",
        "background color": "ما لون الخلفية؟",
        "background pattern": "ما نقش الخلفية؟",
    },
)
