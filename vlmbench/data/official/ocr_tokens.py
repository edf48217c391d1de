"""Words that an OCR system found in images, in files beside the questions (TextVQA's images, which TextCaps shares).

Two forms: Rosetta's JSON, {"data": [{"image_id", "ocr_tokens": [...]}]}, and LLaVA's question file, whose prompts hold
the words behind "Reference OCR token:" (haotian-liu/LLaVA docs/Evaluation.md@c121f043).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vlmbench.data.files import Row, read_rows
from vlmbench.data.official.files import rows_of_list

TOKENS = "ocr_tokens"
MARK = "Reference OCR token:"


def ocr_tokens(path: Path | None, field: str = "image_id") -> Callable[[Row], str | None]:
    """The words of the image that a question's row names in `field`, as prompts show them; None where there is no file.

    Raises DataError for a broken file, and the function it returns for an image that the file lacks.
    """
    if path is None:
        return lambda row: None
    if path.suffix == ".json":
        listed = rows_of_list(path, "data")[1]
        tokens = _by_image(((row.key("image_id"), joined_tokens(row), row) for row in listed), "image_id")
    else:
        tokens = _by_image(_of_prompts(path), "question_id")

    def tokens_of(row: Row) -> str:
        image = row.key(field)
        if image not in tokens:
            raise row.error(field, f"no OCR tokens of image {image} in {path}")
        return tokens[image]

    return tokens_of


def joined_tokens(row: Row) -> str:
    """The words in a row's `ocr_tokens`, joined as prompts show them."""
    return ", ".join(row.texts(TOKENS))


def _of_prompts(path: Path) -> Iterator[tuple[str, str, Row]]:
    """(image, words, row) of LLaVA's question file, where question_id is the image."""
    for row in read_rows(path):
        lines = [line for line in row.text("text").split("\n") if line.startswith(MARK)]
        if len(lines) != 1:
            raise row.error("text", f"one line {MARK!r} was expected")
        yield row.key("question_id"), lines[0].removeprefix(MARK).strip(" "), row


def _by_image(tokens: Iterable[tuple[str, str, Row]], field: str) -> dict[str, str]:
    """Words by image. Raises DataError for an image with different ones: its questions repeat them."""
    found: dict[str, tuple[str, Row]] = {}
    for image, text, row in tokens:
        known, first = found.setdefault(image, (text, row))
        if known != text:
            raise row.error(field, f"other OCR tokens of image {image} than at {first.at}", "get the file again")
    return {image: text for image, (text, _) in found.items()}
