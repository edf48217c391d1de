"""Where training reads its rows: files in their official formats, mixed, ordered and packed; features seen once."""

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
