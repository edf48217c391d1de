"""Training rows from files in their official formats, mixed, ordered and packed; image features computed once.

- kinds: opens a source by its kind. listed, entries: a row by its number, and what a row holds.
- llava, captions, vqa, regions, shards: one module per family of formats. pools: MiniGPT-v2's instructions.
- mixture, ordering, packing: which rows a batch holds, in which order, several in one sequence. draws: seeded choices.
- features: what a frozen vision tower computed, kept on disk. files/: large files, read a row at a time.
"""

from .draws import mix
from .entries import Entry, Rows, Stream
from .features import Features, fingerprint
from .kinds import KINDS, open_rows
from .mixture import Draw, Mixture, Part
from .ordering import order
from .packing import pack

__all__ = [
    "KINDS",
    "Draw",
    "Entry",
    "Features",
    "Mixture",
    "Part",
    "Rows",
    "Stream",
    "fingerprint",
    "mix",
    "open_rows",
    "order",
    "pack",
]
