"""Text as it is stored: any script, byte for byte, and nothing that UTF-8 cannot hold.

Nothing here or elsewhere normalises: a question in NFD stays in NFD from the task's file to the report.
"""

from __future__ import annotations


def unicode_problem(text: str) -> str:
    """Why a text cannot be encoded as UTF-8, for an error message; empty when it can.

    Only half of a surrogate pair, as in JSON's `"\\ud83d"`, has no encoding.
    """
    if text.isascii():
        return ""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        return f"character {error.start + 1} is {half}, half of a surrogate pair, which no text file can hold"
    return ""
