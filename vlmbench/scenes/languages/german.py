"""German: three genders, the accusative behind `gibt es`, the dative behind relations."""

from __future__ import annotations

from vlmbench.scenes.languages.grammar import FEMININE, MASCULINE, NEUTER, Language, Noun

ARTICLES = {
    MASCULINE: {"the": "der", "a": "ein", "acc": "einen", "dat": "dem"},
    FEMININE: {"the": "die", "a": "eine", "acc": "eine", "dat": "der"},
    NEUTER: {"the": "das", "a": "ein", "acc": "ein", "dat": "dem"},
}
ENDINGS = {MASCULINE: "en", FEMININE: "e", NEUTER: "es"}
"""Of an adjective behind an indefinite article in the accusative."""
NOUNS = """
circle m Kreis     square n Quadrat   triangle n Dreieck   star m Stern    cross n Kreuz    heart n Herz
diamond f Raute    ring m Ring          moon m Mond          arrow m Pfeil   house n Haus     hourglass f Sanduhr
"""
DATIVES = {"Herz": "Herzen"}
ADJECTIVES = """
red rot   orange orangefarben   yellow gelb   green grün   cyan türkisfarben   blue blau   purple violett   white weiß
small klein   large groß   solid einfarbig   striped gestreift   dotted gepunktet
black schwarz   gray grau   brown braun   teal blaugrün   plain schlicht   shaded schattiert   checkered kariert
"""


def _noun(gender: str, word: str) -> Noun:
    forms = {name: f"{article} {word}" for name, article in ARTICLES[gender].items()}
    forms["dat"] = f"{ARTICLES[gender]['dat']} {DATIVES.get(word, word)}"
    return Noun(gender, {**forms, "word": word, "article": ARTICLES[gender]["acc"]})


def _adjective(word: str) -> dict[str, str]:
    """`is`: behind `ist`; `def`: behind a definite article in the nominative."""
    return {**{gender: word + ending for gender, ending in ENDINGS.items()}, "is": word, "def": f"{word}e"}


_found = NOUNS.split()
_pairs = ADJECTIVES.split()
GERMAN = Language(
    "German",
    "Antworte auf Englisch.",
    nouns={english: _noun(*forms) for english, *forms in zip(_found[::3], _found[1::3], _found[2::3], strict=True)},
    adjectives={english: _adjective(word) for english, word in zip(_pairs[::2], _pairs[1::2], strict=True)},
    words={
        "c": {"figure": "Welche Figur", "symbol": "Welches Symbol", "object": "Welcher Gegenstand"},
        "rel": {"to the left of": "links von", "to the right of": "rechts von", "above": "über", "below": "unter"},
        "r": {"to the left": "links", "to the right": "rechts", "above": "über", "below": "unter"},
        "s": {"to the left": "links von", "to the right": "rechts von", "above": "über", "below": "unter"},
        "p": (places := {"top": "oben", "bottom": "unten", "left": "links", "right": "rechts"}),
        "q": places,
        "side": {"left": "linken", "right": "rechten"},
    },
    sentences={
        "exists": "Gibt es auf dem Bild {k_acc}?",
        "exists so": "Gibt es auf dem Bild {k_article} {w_k} {k_word}?",
        "is so": "Ist {k_the} {w_is}?",
        "is one": "Ist {k_the} {w_is} oder {v_is}?",
        "is both": "Ist {k_the} {w_is} und {v_is}?",
        "color": "Welche Farbe hat {k_the}?",
        "size": "Wie groß ist {k_the}?",
        "pattern": "Welches Muster hat {k_the}?",
        "side": "Auf welcher Seite des Bildes ist {k_the}?",
        "place": "Ist {k_the} {p} oder {q} im Bild?",
        "on side": "Ist {k_the} auf der {side} Seite des Bildes?",
        "thing": "Was ist das {w_def} Ding?",
        "category": "{c} ist {w_is}?",
        "thing is": "Ist das {w_def} Ding {k_a} oder {l_a}?",
        "related": "Ist {k_the} {rel} {l_dat}?",
        "relation": "Ist {k_the} {r} oder {s} {l_dat}?",
        "neighbor": "Was ist {rel} {k_dat}?",
        "neighbor color": "Welche Farbe hat das Ding {rel} {k_dat}?",
        "both": "Gibt es auf dem Bild sowohl {k_acc} als auch {l_acc}?",
        "either": "Gibt es auf dem Bild {k_acc} oder {l_acc}?",
        "same color": "Haben {k_the} und {l_the} die gleiche Farbe?",
        "same pattern": "Haben {k_the} und {l_the} das gleiche Muster?",
        "other color": "Haben {k_the} und {l_the} verschiedene Farben?",
        "other pattern": "Haben {k_the} und {l_the} verschiedene Muster?",
        "larger": "Was ist größer, {k_the} oder {l_the}?",
        "smaller": "Was ist kleiner, {k_the} oder {l_the}?",
        "background is": "Ist der Hintergrund {g_is}?",
        "background is one": "Ist der Hintergrund {g_is} oder {h_is}?",
        "background color": "Welche Farbe hat der Hintergrund?",
        "background pattern": "Welches Muster hat der Hintergrund?",
    },
)
