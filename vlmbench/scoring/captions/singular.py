"""The singular of an English noun as CHAIR takes it, mistakes included: `bases` becomes `basis`, `four` `fmy`.

The rules are those of singularize in pattern.en (clips/pattern pattern/text/en/inflect.py@d25511f9), for words in lower
case, and compared with it over word lists. `pattern` itself cannot be installed on today's Pythons.
"""

from __future__ import annotations

import re
from functools import lru_cache


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ALIKE = _words(
    "bison debris headquarters pincers trout bream diabetes herpes pliers tuna breeches djinn high-jinks proceedings "
    "whiting britches eland homework rabies wildebeest carp elk innings salmon chassis flounder jackanapes scissors "
    "christmas gallows mackerel series clippers georgia measles shears cod graffiti mews species contretemps mumps "
    "swine corps news swiss advice equipment happiness luggage software bread fruit information mathematics progress "
    "understanding butter furniture ketchup mayonnaise research water cheese garbage knowledge meat rice electricity "
    "gravel love mustard sand"
)
"""Nouns of one form. So is every word that one of these ends in (`ice`, for `rice`): that is how they are looked up."""
_ENDS = frozenset(word[start:] for word in _ALIKE for start in range(len(word)))
_KEPT = _words(
    "alergies cuties hoagies newbies softies veggies aunties doggies hotties nighties sorties weenies beanies eyries "
    "indies oldies stoolies yuppies birdies freebies junkies sweeties zombies bogies goonies laddies pixies techies "
    "bombies groupies laramies quickies collies hankies lingeries reveries toughies cookies hippies meanies rookies "
    "valkyries"
)
"""Plurals that stay as they are."""
_IRREGULAR = {
    "atlantes": "atlas", "atlases": "atlas", "axes": "axe", "beeves": "beef", "brethren": "brother",
    "children": "child", "corpora": "corpus", "corpuses": "corpus", "ephemerides": "ephemeris", "feet": "foot",
    "ganglia": "ganglion", "geese": "goose", "genera": "genus", "genii": "genie", "helves": "helve", "kine": "cow",
    "leaves": "leaf", "loaves": "loaf", "men": "man", "mongooses": "mongoose", "monies": "money", "moves": "move",
    "mythoi": "mythos", "numena": "numen", "occipita": "occiput", "octopodes": "octopus", "opera": "opus",
    "opuses": "opus", "our": "my", "oxen": "ox", "penes": "penis", "penises": "penis", "people": "person",
    "sexes": "sex", "soliloquies": "soliloquy", "teeth": "tooth", "testes": "testis", "trilbys": "trilby",
    "turves": "turf", "zoa": "zoon",
}  # fmt: skip
"""By what a word ends in."""
_RULES = (
    # What stands before the ending, the ending, and what takes its place. The first that fits counts.
    (".", "ae", "a"), (".", "itis", "itis"), (".", "eaux", "eau"), ("quiz", "zes", ""), ("matr", "ices", "ix"),
    ("ap|vert|ind", "ices", "ex"), ("alias|status", "es", ""), ("[octp|vir]", "i", "us"),
    ("cris|ax|test", "es", "is"), ("shoe", "s", ""), ("o", "es", ""), ("bus", "es", ""), ("[m|l]", "ice", "ouse"),
    ("x|ch|ss|sh", "es", ""), ("m", "ovies", "ovie"), (".", "ombies", "ombie"), ("s", "eries", "eries"),
    ("[^aeiouy]|qu", "ies", "y"), ("[aeo]l", "ves", "f"), ("[^d]ea", "ves", "f"), ("ar", "ves", "f"),
    ("er", "ves", "ve"), ("[nlw]i", "ves", "fe"), ("[lr]", "ves", "f"), ("[aeo]", "ves", "ve"),
    ("sive|tive|hive", "s", ""), ("[^f]", "ves", "fe"), ("^analy", "ses", "sis"), ("analy", "ses", "asis"),
    ("ba", "ses", "sis"), ("diagno|parenthe|progno|synop|the", "ses", "sis"), (".", "opses", "opsis"),
    (".", "yses", "ysis"), ("h|d|r|o|n|b|cl|p", "oses", "ose"),
    ("fruct|gluc|galact|lact|ket|malt|rib|sacchar|cellul", "ose", "ose"), (".", "oses", "osis"), ("[ti]", "a", "um"),
    ("n", "ews", "ews"), ("", "s", ""),
)  # fmt: skip
_COMPILED = [(re.compile(f"(?:{before})({ending})$"), instead) for before, ending, instead in _RULES]
_PREPOSITIONS = frozenset(
    _words(
        "among betwixt beyond before to till in on over with out besides off since about around onto beneath by near "
        "of during from but at upon after until under between into across beside unto behind for below above except "
        "athwart"
    )
)


@lru_cache(maxsize=1 << 16)
def singular(word: str) -> str:
    """The singular of a word in lower case; the word itself where no rule fits."""
    first, hyphen, rest = word.partition("-")
    if hyphen and rest.partition("-")[0] in _PREPOSITIONS:
        return f"{singular(first)}-{rest}"
    if word.endswith("'"):
        return singular(word[:-1]) + "'s"
    if not word or word in _ENDS or word.endswith(_KEPT):
        return word
    for ending, instead in _IRREGULAR.items():
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    if word.startswith("oxen"):
        return word.replace("oxen", "ox", 1)
    for rule, instead in _COMPILED:
        if match := rule.search(word):
            return word[: match.start(1)] + instead
    return word
