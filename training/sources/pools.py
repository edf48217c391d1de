"""MiniGPT-v2's instructions, and its text cleaner, to the letter.

Sources: MiniGPT-4 minigpt4/datasets/datasets/*.py, prompts/alignment.txt and minigpt4/processors/blip_processors.py
@d94738a; LLaVA-1.5's wishes for an answer's form: arXiv 2310.03744, table 7.
"""

from __future__ import annotations

import re

VQA = ("[vqa] {}", "[vqa] Based on the image, respond to this question with a short answer: {}")
CAPTION = tuple(
    f"[caption] {text}"
    for text in (
        "Briefly describe this image.",
        "Provide a concise depiction of this image.",
        "Present a short description of this image.",
        "Summarize this image in a few words.",
        "A short image caption:",
        "A short image description:",
        "A photo of ",
        "An image that shows ",
        "Write a short description for the image. ",
        "Write a description for the photo.",
        "Provide a description of what is presented in the photo.",
        "Briefly describe the content of the image.",
        "Can you briefly explain what you see in the image?",
        "Could you use a few words to describe what you perceive in the photo?",
        "Please provide a short depiction of the picture.",
        "Using language, provide a short account of the image.",
        "Use a few words to illustrate what is happening in the picture.",
    )
)
GROUNDING = (
    "[grounding] please describe this image in details",
    "[grounding] describe this image as detailed as possible",
    "[grounding] summarize this image in details",
    "[grounding] give a thorough description of what you see in this image",
)
REFER = (
    "[refer] {}",
    "[refer] give me the location of {}",
    "[refer] where is {} ?",
    "[refer] from this image, tell me the location of {}",
    "[refer] the location of {} is",
    "[refer] could you tell me the location for {} ?",
    "[refer] where can I locate the {} ?",
)
IDENTIFY = (
    "[identify] {}",
    "[identify] what object is in this location {}",
    "[identify] identify the object present at this location {}",
    "[identify] what is it in {}",
    "[identify] describe this object in {}",
    "[identify] this {} is",
    "[identify] the object in {} is",
)
DETECTION = ("[detection] {}",)
ALIGNMENT = (
    "Describe this image in detail.",
    "Take a look at this image and describe what you notice.",
    "Please provide a detailed description of the picture.",
    "Could you describe the contents of this image for me?",
)
"""MiniGPT-4's stage 2. The official code draws one for a whole batch; here each row draws its own."""

SHORT = "\nAnswer the question using a single word or phrase."
LETTER = "\nAnswer with the option's letter from the given choices directly."
ONE_SENTENCE = "Provide a one-sentence caption for the provided image."
REGION_TEXT = "Please provide a short description for this region: {}."
REGION_BOX = "Please provide the bounding box coordinate of the region this sentence describes: {}."

_MARKS = re.compile(r"([.!\"()*#:;~])")
_BLANKS = re.compile(r"\s{2,}")
LONGEST = 50
"""Words kept."""


def clean(text: str) -> str:
    """As BLIP's caption processor leaves a text: lower case, some marks away, 50 words."""
    text = _BLANKS.sub(" ", _MARKS.sub(" ", text.lower())).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:LONGEST])


def hundredths(box: tuple[float, float, float, float], width: int, height: int) -> str:
    """(x, y, width, height) in pixels as MiniGPT-v2 writes a box: corners in whole hundredths, cut off."""
    x, y, across, down = box
    shares = (x / width * 100, y / height * 100, (x + across) / width * 100, (y + down) / height * 100)
    return "{" + "".join(f"<{int(share)}>" for share in shares) + "}"


def padded_shares(box: tuple[float, float, float, float], width: int, height: int) -> str:
    """The same box as LLaVA-1.5 writes it, `[0.04, 0.57, 0.6, 0.71]`: shares of the picture padded to a square around
    its middle.
    """
    x, y, across, down = box
    side = max(width, height)
    left, top = (side - width) / 2, (side - height) / 2
    corners = (x + left, y + top, x + across + left, y + down + top)
    return "[" + ", ".join(str(round(min(max(corner / side, 0.0), 1.0), 2)) for corner in corners) + "]"
