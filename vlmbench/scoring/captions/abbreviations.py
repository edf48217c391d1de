"""Words that the tokenizer of captions knows: abbreviations that keep their full stop, words that it takes apart.

Found by giving Stanford CoreNLP 3.4.1 some 282,000 words with a full stop behind them, in lower case, with a capital,
and in capitals, before lower-case words, capitals, numbers and the end of the line.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TITLES = _words(
    "adj adm adv alex assoc asst atty attys ave brig capt cf cie cmdr col comdr cpl dept det dr drs elec ens ft gen "
    "gov govs hon invt jos lieut lt maj messrs mlle mme mr mrs ms msgr mt natl pfc ph pres prof profs pvt rep reps "
    "rev sen sens sfc sgt spc st ste supt supts"
)
"""Keep their full stop."""
SHORTENED = _words(
    "al ala apr ariz assn aug bancorp bhd bldg blvd bros calif co colo conn corp cos ct dak dec esq est etc ext feb "
    "fla fri ga inc ind intl jan jr jul jun kan kans ky ltd mar md mich minn mo mon mont neb nev nov oct okla penn "
    "plc rd rt sep sept seq sq sr sys tel tenn thu thurs treas tue tues univ va vs vt wed wis wisc wm wyo"
)
"""Keep it too, even where one more letter follows (`rd.a` is two tokens, `mr.a` is one)."""
CAPITALISED = _words("ark az del ill la mass miss ore pa tex wash")
"""As SHORTENED, where they begin with a capital: in lower case they are words."""
UNSHOUTED = _words("mfg mtg pte ptes pty ptys")
"""As SHORTENED, except in capitals."""
NUMBERED = _words("art ca fig figs no nos op p pp prop")
"""Keep their full stop before a number."""
STARTERS = _words(
    "A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Mr. Ms. "
    "Now Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet "
    "You"
)
"""Words that begin a sentence: before them, the full stop behind a single letter is the end of one."""
DOTTED = frozenset((*TITLES, *SHORTENED, *CAPITALISED, *UNSHOUTED, *NUMBERED))
"""All words whose full stop needs a closer look."""
SPLIT = frozenset(_words("cannot gimme gonna gotta lemme wanna"))
"""Words that are two tokens each."""
TOP_LEVEL = _words("com net org edu")
"""What web addresses without `www.` end in."""
FILE_TYPES = _words(
    "bat bmp c cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py sql tar "
    "txt wav x xml zip"
)
"""What names of files end in."""
