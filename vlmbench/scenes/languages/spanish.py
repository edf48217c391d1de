"""Spanish: two genders, adjectives that agree, and `de` with the masculine article in one word."""

from __future__ import annotations

from vlmbench.scenes.languages.grammar import FEMININE, MASCULINE, Language, Noun

ARTICLES = {
    MASCULINE: {"the": "el ", "The": "El ", "a": "un ", "of": "del "},
    FEMININE: {"the": "la ", "The": "La ", "a": "una ", "of": "de la "},
}
NOUNS = {
    "circle": "m círculo", "square": "m cuadrado", "triangle": "m triángulo", "star": "f estrella", "cross": "f cruz",
    "heart": "m corazón", "diamond": "m rombo", "ring": "m anillo", "moon": "f luna", "arrow": "f flecha",
    "house": "f casa", "hourglass": "m reloj de arena",
    "figure": "f figura", "symbol": "m símbolo", "object": "m objeto",
}  # fmt: skip
ADJECTIVES = {
    "red": "rojo", "orange": "naranja", "yellow": "amarillo", "green": "verde", "cyan": "cian", "blue": "azul",
    "purple": "morado", "white": "blanco", "small": "pequeño", "large": "grande", "solid": "liso", "striped": "rayado",
    "dotted": "punteado", "black": "negro", "gray": "gris", "brown": "marrón", "teal": "verde azulado",
    "plain": "liso", "shaded": "sombreado", "checkered": "cuadriculado",
}  # fmt: skip


def _noun(entry: str) -> Noun:
    gender, _, word = entry.partition(" ")
    return Noun(gender, {**{name: article + word for name, article in ARTICLES[gender].items()}, "word": word})


def _adjective(word: str) -> dict[str, str]:
    """Those in -o end in -a with a feminine noun; the others stay as they are."""
    return {MASCULINE: word, FEMININE: f"{word[:-1]}a" if word.endswith("o") and " " not in word else word}


SPANISH = Language(
    "Spanish",
    "Responde en inglés.",
    nouns={english: _noun(entry) for english, entry in NOUNS.items()},
    adjectives={english: _adjective(word) for english, word in ADJECTIVES.items()},
    words={
        "rel": (
            relations := {
                "to the left of": "a la izquierda", "to the right of": "a la derecha", "above": "encima",
                "below": "debajo",
            }
        ),
        "r": (directions := {name.removesuffix(" of"): word for name, word in relations.items()}),
        "s": directions,
        "p": (
            places := {
                "top": "en la parte superior", "bottom": "en la parte inferior", "left": "en la parte izquierda",
                "right": "en la parte derecha",
            }
        ),
        "q": places,
        "side": {"left": "izquierdo", "right": "derecho"},
    },
    sentences={
        "exists": "¿Hay {k_a} en la imagen?",
        "exists so": "¿Hay {k_a} {w_k} en la imagen?",
        "is so": "¿{k_The} es {w_k}?",
        "is one": "¿{k_The} es {w_k} o {v_k}?",
        "is both": "¿{k_The} es {w_k} y {v_k}?",
        "color": "¿De qué color es {k_the}?",
        "size": "¿Qué tamaño tiene {k_the}?",
        "pattern": "¿Qué patrón tiene {k_the}?",
        "side": "¿En qué lado de la imagen está {k_the}?",
        "place": "¿{k_The} está {p} o {q} de la imagen?",
        "on side": "¿{k_The} está en el lado {side} de la imagen?",
        "thing": "¿Qué es la cosa {w_f}?",
        "category": "¿Qué {c_word} es {w_c}?",
        "thing is": "¿La cosa {w_f} es {k_a} o {l_a}?",
        "related": "¿{k_The} está {rel} {l_of}?",
        "relation": "¿{k_The} está {r} o {s} {l_of}?",
        "neighbor": "¿Qué hay {rel} {k_of}?",
        "neighbor color": "¿De qué color es la cosa que está {rel} {k_of}?",
        "both": "¿Hay tanto {k_a} como {l_a} en la imagen?",
        "either": "¿Hay {k_a} o {l_a} en la imagen?",
        "same color": "¿{k_The} y {l_the} tienen el mismo color?",
        "same pattern": "¿{k_The} y {l_the} tienen el mismo patrón?",
        "other color": "¿{k_The} y {l_the} tienen colores distintos?",
        "other pattern": "¿{k_The} y {l_the} tienen patrones distintos?",
        "larger": "¿Qué es más grande, {k_the} o {l_the}?",
        "smaller": "¿Qué es más pequeño, {k_the} o {l_the}?",
        "background is": "¿El fondo es {g_m}?",
        "background is one": "¿El fondo es {g_m} o {h_m}?",
        "background color": "¿De qué color es el fondo?",
        "background pattern": "¿Qué patrón tiene el fondo?",
    },
)  # fmt: skip
