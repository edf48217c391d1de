"""The embedded sample of TextVQA: boards with words and numbers, questions about what they say, and OCR tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmbench.scenes.lettering import Board, board_size, with_boards
from vlmbench.scenes.scene import COLORS, GROUNDS, SAMPLE_SEEDS, SIDE, STYLES, Dice, Scene

from .common import compact, encoded, write
from .people import ask

IMAGES = 30
WORDS = (
    "OPEN", "STOP", "EXIT", "CAFE", "TAXI", "MILK", "SALE", "BOOKS", "NORTH", "PARK", "HOTEL", "BANK", "LAKE", "FARM",
    "MUSIC", "BREAD", "FRESH", "QUIET", "PIANO", "JUICE", "ZEBRA", "WATER", "VIOLIN", "KEY", "BUS", "TEA", "GYM",
)  # fmt: skip
BRIGHT = tuple(color for color in COLORS if color not in ("blue", "purple", "red"))
"""Colours on which dark letters stand out."""
MISREAD = {"O": "0", "I": "1", "S": "5", "B": "8", "Z": "2"}


def image_id(seed: int) -> str:
    """Sixteen hexadecimal digits, like those of OpenImages."""
    return f"{seed * 0x9E3779B97F4A7C15 % (1 << 64):016x}"


def _board(dice: Dice, word: str, color: str, top: int, bottom: int) -> Board:
    """A board somewhere between two heights, as large as fits."""
    sizes = [scale for scale in (3, 2) if board_size(word, scale)[0] <= SIDE - 4]
    scale = max(scale for scale in sizes if board_size(word, scale)[1] <= bottom - top)
    width, height = board_size(word, scale)
    return Board(word, color, scale, 2 + dice.below(SIDE - width - 3), top + dice.below(bottom - top - height + 1))


def boards(dice: Dice) -> tuple[Board, ...]:
    """One word; or a word over a number; or two words of two colours."""
    first, second = dice.shuffled(WORDS)[:2]
    colors = dice.shuffled(BRIGHT)
    kind = dice.below(3)
    if kind == 0:
        return (_board(dice, first, colors[0], 8, SIDE - 8),)
    lower = str(10 + dice.below(890)) if kind == 1 else second
    return _board(dice, first, colors[0], 4, 46), _board(dice, lower, colors[1], 50, 92)


def questions(dice: Dice, shown: tuple[Board, ...]) -> list[tuple[str, str]]:
    """(question, answer)."""
    words = [board.word.lower() for board in shown]
    if len(shown) == 1:
        return [(dice.pick(("what word is on the sign?", "what does the sign say?")), words[0])]
    if words[1].isdecimal():
        return [
            (dice.pick(("what number is shown?", "what is the number?")), words[1]),
            (dice.pick(("what word is above the number?", "which word is written here?")), words[0]),
        ]
    place = dice.below(2)
    return [
        (f"what does the {('top', 'bottom')[place]} sign say?", words[place]),
        (f"what word is on the {shown[1 - place].color} sign?", words[1 - place]),
    ]


def _people(dice: Dice, answer: str) -> list[str]:
    """Some write in capitals, which the scorer does not mind; some did not see that there is something to read."""
    wrong = ("unanswerable", "answering does not require reading text in the image", answer[:-1])
    said = ask(dice, answer, others=wrong)
    return [text.upper() if text == answer and dice.chance(15) else text for text in said]


def token(dice: Dice, board: Board) -> str:
    """What an OCR system made of the word: now and then one letter is another."""
    at = dice.below(len(board.word))
    letter = MISREAD.get(board.word[at], board.word[at]) if dice.chance(25) else board.word[at]
    return board.word[:at] + letter + board.word[at + 1 :]


def _ocr_row(dice: Dice, key: str, shown: tuple[Board, ...]) -> dict[str, Any]:
    tokens = [token(dice, board) for board in shown]
    info = [
        {
            "word": token,
            "bounding_box": {
                "width": board.width / SIDE,
                "height": board.height / SIDE,
                "rotation": 0,
                "roll": 0,
                "pitch": 0,
                "yaw": 0,
                "top_left_x": board.x / SIDE,
                "top_left_y": board.y / SIDE,
            },
        }
        for board, token in zip(shown, tokens, strict=True)
    ]
    return {"image_id": key, "image_width": SIDE, "image_height": SIDE, "ocr_tokens": tokens, "ocr_info": info}


def build_textvqa(folder: Path) -> None:
    """val with its OCR file; pictures in `train_images/`, as the official ones are."""
    from PIL import Image

    data: list[dict[str, Any]] = []
    ocr: list[dict[str, Any]] = []
    for seed in SAMPLE_SEEDS["textvqa"][:IMAGES]:
        dice, key = Dice(seed), image_id(seed)
        shown = boards(dice)
        scene = Scene(seed, (), dice.pick(tuple(GROUNDS)), dice.pick(STYLES))
        for text, answer in questions(dice, shown):
            data.append(
                {
                    "question": text,
                    "image_id": key,
                    "image_classes": ["Sign"],
                    "flickr_original_url": "",
                    "flickr_300k_url": "",
                    "image_width": SIDE,
                    "image_height": SIDE,
                    "answers": _people(dice, answer),
                    "question_tokens": text.rstrip("?").split(),
                    "question_id": 34_602 + len(data),
                    "set_name": "val",
                }
            )
        ocr.append(_ocr_row(dice, key, shown))
        picture = Image.fromarray(with_boards(scene, shown), "RGB")
        write(folder / "train_images" / f"{key}.jpg", encoded(picture))
    head = {"dataset_type": "val", "dataset_name": "textvqa"}
    write(folder / "TextVQA_0.5.1_val.json", compact({**head, "dataset_version": "0.5.1", "data": data}))
    write(folder / "TextVQA_Rosetta_OCR_v0.2_val.json", compact({**head, "dataset_version": "0.2", "data": ocr}))
