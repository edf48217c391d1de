"""What a language is made of here: nouns with their forms, adjectives by gender, other words, and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MASCULINE, FEMININE, NEUTER = "m", "f", "n"


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun as sentences need it."""

    gender: str
    forms: Mapping[str, str]
    """By the name that sentences call them: `the`, `a`, ... with the article that belongs to each."""


@dataclass(frozen=True, slots=True)
class Language:
    """How questions are asked in a language."""

    name: str
    english_answer: str
    """Asks for an answer in English, in which the right answers are."""
    nouns: Mapping[str, Noun]
    """By English word."""
    adjectives: Mapping[str, Mapping[str, str]]
    """By English word: forms by name; `m`, `f` and `n` agree with a noun."""
    words: Mapping[str, Mapping[str, str]]
    """By slot and English word: relations, directions, places and sides."""
    sentences: Mapping[str, str]
    """By what is asked. `{k_the}` is the form `the` of the noun in slot k, `{w_k}` the adjective in slot w as it agrees
    with that noun, `{w_m}` its masculine form, `{rel}` another word.
    """

    def say(self, meaning: str, found: Mapping[str, str]) -> str:
        """A question with the English words of its slots put in."""
        nouns = {slot: self.nouns[word] for slot, word in found.items() if word in self.nouns}
        said: dict[str, str] = {}
        for slot, word in found.items():
            if slot in nouns:
                said |= {f"{slot}_{name}": form for name, form in nouns[slot].forms.items()}
            elif slot in self.words:
                said[slot] = self.words[slot][word]
            else:
                forms = self.adjectives[word]
                said |= {f"{slot}_{name}": form for name, form in forms.items()}
                said |= {f"{slot}_{other}": forms[noun.gender] for other, noun in nouns.items() if noun.gender in forms}
        return self.sentences[meaning].format(**said)
