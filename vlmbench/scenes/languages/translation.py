"""A question about a drawn scene in another language."""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.scenes.languages.arabic import ARABIC
from vlmbench.scenes.languages.chinese import CHINESE
from vlmbench.scenes.languages.german import GERMAN
from vlmbench.scenes.languages.grammar import Language
from vlmbench.scenes.languages.spanish import SPANISH
from vlmbench.scenes.languages.wordings import read

LANGUAGES: Mapping[str, Language] = {"zh": CHINESE, "de": GERMAN, "es": SPANISH, "ar": ARABIC}
"""By code (ISO 639-1)."""


def translated(question: str, code: str) -> str | None:
    """The question in a language, with a request for an answer in English; None for one that is not known.

    Known are the English wordings of vlmbench.scenes.languages.wordings, whole: nothing is translated word by word.
    """
    known = read(question)
    if known is None:
        return None
    language = LANGUAGES[code]
    return f"{language.say(*known)} {language.english_answer}"
