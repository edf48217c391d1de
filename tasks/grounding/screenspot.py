"""ScreenSpot and ScreenSpot-v2: point at the element of a screenshot that a command means.

Cheng et al., SeeClick, ACL 2024 (arXiv 2401.10935): 1,272 commands on screenshots of phones, desktops and web sites,
for texts and for icons. v2 corrects wrong and ambiguous rows (Wu et al., OS-Atlas, arXiv 2410.23218). An answer is
right if its point lies in the element's box, borders included; the figure is the mean of the six accuracies by platform
and kind of element. lmms-eval asks the first for boxes and measures their overlap, which is another thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vlmbench.base.task import Size
from vlmbench.families.base import Scored, accuracies
from vlmbench.families.grounding import Grounding, GroundingRules, centres, overlaps
from vlmbench.families.grounding.points import (
    CELLS,
    Pointing,
    Target,
    in_box,
    middle,
    pixels_divided,
    point_figures,
    pointed,
    right_shares,
    squared_cells,
)
from vlmbench.parsing import points
from vlmbench.parsing.boxes import Agreement, agreement_in_shares, from_size, to_shares
from vlmbench.stats.metrics import Metric

from .screenspot_files import PLATFORMS, screens

# ----------------------------------------------------------------------------------------------------------- the rules


def _seeclick(text: str, target: Target) -> Agreement:
    right = to_shares(from_size(target["bbox"]), target["width"], target["height"])
    return pointed(points.seeclick(text), right, target)


def _lmms_eval_box(text: str, target: Target) -> Agreement:
    return agreement_in_shares(points.lmms_eval_box(text), right_shares(target), target["width"], target["height"])


def _lmms_eval_point(text: str, target: Target) -> Agreement:
    """Takes [x, y, width, height] for two corners where the sides are longer than the corner's numbers."""
    point = points.lmms_eval(text)
    if "shares" in target:  # the size of the image is not in such rows
        return pointed(point, right_shares(target), target)
    x, y, width, height = target["bbox"]
    corners = (x, y, width, height) if width > x and height > y else from_size(target["bbox"])
    return pointed(pixels_divided(point, target), to_shares(corners, target["width"], target["height"]), target)


def _vlmevalkit(text: str, target: Target) -> Agreement:
    """The box ends a pixel earlier; a side at -1 is at 0."""
    x, y, width, height = target["bbox"]
    x1, y1, x2, y2 = (0 if side == -1 else side for side in (x, y, x + width - 1, y + height - 1))
    right = to_shares((x1, y1, x2, y2), target["width"], target["height"])
    return pointed(pixels_divided(points.vlmevalkit(text), target), right, target)


FIGURES = point_figures("screenspot")
THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)


def _box_figures(scored: Scored) -> Sequence[Metric]:
    return [*overlaps(scored, THRESHOLDS), centres(scored), *accuracies(scored, CELLS)]


def _kit_figures(scored: Scored) -> Sequence[Metric]:
    """VLMEvalKit's figures of parts as well."""
    parts = [("type", "text"), ("type", "icon"), *(("platform", name) for name in PLATFORMS)]
    found = {value: [one for one in scored if one[0].tags[tag] == value] for tag, value in parts}
    return [*FIGURES(scored), *(squared_cells(f"{value}_accuracy", part) for value, part in found.items() if part)]


_points = partial(GroundingRules, hit=in_box)
OFFICIAL = _points(
    "njucckevin/SeeClick pretrain/screenspot_test.py, process_utils.py@0ef37ac4",
    'In this UI screenshot, what is the position of the element corresponding to the command "{question}" '
    "(with point)?",
    _seeclick,
    headline="screenspot",
    figures=FIGURES,
    note="points in shares of the image; exactly two numbers, or four of a box, may stand in the answer",
)
VLMEVALKIT = _points(
    "open-compass/VLMEvalKit vlmeval/dataset/GUI/screenspot.py@e8e78f05",
    "You are a GUI agent. You are given a task and a screenshot of the screen. You need to perform pyautogui "
    "click/moveTo action to complete the task. The answer format is `pyautogui.click(x=?, y=?), x and y is necessary`\n"
    "Please complete the following tasks by clicking using `pyautogui.click`:\n{question}",
    _vlmevalkit,
    512,
    figures=_kit_figures,
    note="reads `x=.., y=..` alone: any other answer points to the upper left corner; its figures of parts (text, "
    "icon, a platform) count a cell by the square of its size",
)
LMMS = "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks"
BOX = GroundingRules(
    f"{LMMS}/screenspot/utils_rec.py@75571cfe",
    "Bounding box coordinates are specified in the format (top-left x, top-left y, bottom-right x, bottom-right y). "
    "All values are floating point numbers bounded between 0 and 1 with two decimal places of precision (e.g., 0.15). "
    "Please provide the bounding box coordinates of the region that corresponds to the command: {question}",
    _lmms_eval_box,
    1024,
    stop=("ASSISTANT:",),
    headline="mean_iou",
    figures=_box_figures,
    note="asks for a box and measures its overlap: not the figure of the paper",
)
POINT = _points(
    f"{LMMS}/screenspot_v2/utils.py@75571cfe",
    "Identify the UI element for the instruction and output exactly one click point as [x, y] in normalized "
    "coordinates within [0, 1]. Do not output a bounding box.\nInstruction: {question}",
    _lmms_eval_point,
    figures=FIGURES,
    note="numbers above 1 are pixels, where the rows have the image's size; its figure is the plain accuracy",
)

# ------------------------------------------------------------------------------------------------------ the benchmarks

FORMS = (middle("({x:.4f},{y:.4f})"), middle("pyautogui.click(x={x:.4f}, y={y:.4f})"), *Grounding.forms)
_screenspot = partial(Pointing, about=__doc__, forms=FORMS, strata="platform")

SCREENSPOT = _screenspot(
    name="screenspot",
    title="ScreenSpot: the place of an element of a screenshot (Cheng et al. 2024)",
    sizes={"test": Size(1_272), "mobile": Size(502), "desktop": Size(334), "web": Size(436)},
    rules={"official": OFFICIAL, "lmms_eval": BOX, "vlmevalkit": VLMEVALKIT},
    files=screens("screenspot_imgs", "ScreenSpot", "rootsautomation/ScreenSpot", image_id="file_name"),
)
SCREENSPOT_V2 = _screenspot(
    name="screenspot_v2",
    title="ScreenSpot-v2: the place of an element of a screenshot (Wu et al. 2024)",
    sizes={"test": Size(1_272), "mobile": Size(501), "desktop": Size(334), "web": Size(437)},
    rules={"official": OFFICIAL, "lmms_eval": POINT, "vlmevalkit": VLMEVALKIT},
    files=screens(
        "screenspotv2_image",
        "ScreenSpot_v2",
        "HongxinLi/ScreenSpot_v2",
        "https://huggingface.co/datasets/OS-Copilot/ScreenSpot-v2/resolve/main",
        "_v2",
    ),
)
