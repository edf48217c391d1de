"""All built-in benchmarks by name, sorted by family. A new benchmark is one file, one line here, and one golden set.

Nothing is imported here: an entry "module:object" is loaded when its benchmark is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_YES_NO, _CHOICE, _SHORT = "vlmbench.tasks.yes_no", "vlmbench.tasks.multiple_choice", "vlmbench.tasks.short_answer"
_DOCUMENTS, _COUNTING = f"{_SHORT}.documents", f"{_SHORT}.counting"
_GROUNDING, _JUDGED = "vlmbench.tasks.grounding", "vlmbench.tasks.judged"
_CAPTIONS = "vlmbench.tasks.captions"
_MATHEMATICS = "vlmbench.tasks.mathematics"

TASKS: Mapping[str, str] = {
    "pope": f"{_YES_NO}.pope:POPE",
    "mme": f"{_YES_NO}.mme:MME",
    "vsr": f"{_YES_NO}.vsr:VSR",
    "hateful_memes": f"{_YES_NO}.hateful_memes:HATEFUL_MEMES",
    "hallusionbench": f"{_YES_NO}.hallusionbench:HALLUSIONBENCH",
    "amber_d": f"{_YES_NO}.amber_d:AMBER_D",
    "naturalbench": f"{_YES_NO}.naturalbench:NATURALBENCH",
    "mmbench": f"{_CHOICE}.mmbench:MMBENCH",
    "mmvp": f"{_CHOICE}.mmvp:MMVP",
    "sugarcrepe": f"{_CHOICE}.sugarcrepe:SUGARCREPE",
    "scienceqa": f"{_CHOICE}.scienceqa:SCIENCEQA",
    "iconqa": f"{_CHOICE}.iconqa:ICONQA",
    "mmstar": f"{_CHOICE}.mmstar:MMSTAR",
    "ai2d": f"{_CHOICE}.ai2d:AI2D",
    "seedbench": f"{_CHOICE}.seedbench:SEEDBENCH",
    "realworldqa": f"{_CHOICE}.realworldqa:REALWORLDQA",
    "cvbench": f"{_CHOICE}.cvbench:CVBENCH",
    "aokvqa": f"{_CHOICE}.aokvqa:BENCHMARK",
    "vstar": f"{_CHOICE}.vstar:VSTAR",
    "mmt_bench": f"{_CHOICE}.mmt_bench:MMT_BENCH",
    "mme_realworld_lite": f"{_CHOICE}.mme_realworld_lite:MME_REALWORLD_LITE",
    "mmmu": f"{_CHOICE}.several_images.mmmu:MMMU",
    "mmmu_pro": f"{_CHOICE}.several_images.mmmu_pro:MMMU_PRO",
    "blink": f"{_CHOICE}.several_images.blink:BLINK",
    "muirbench": f"{_CHOICE}.several_images.muirbench:MUIRBENCH",
    "gqa": f"{_SHORT}.gqa:GQA",
    "vqav2": f"{_SHORT}.vqav2:VQAV2",
    "okvqa": f"{_SHORT}.okvqa:OKVQA",
    "textvqa": f"{_SHORT}.textvqa:TEXTVQA",
    "vizwiz": f"{_SHORT}.vizwiz:VIZWIZ",
    "chartqa": f"{_DOCUMENTS}.chartqa:CHARTQA",
    "docvqa": f"{_DOCUMENTS}.docvqa:DOCVQA",
    "infovqa": f"{_DOCUMENTS}.infovqa:INFOVQA",
    "stvqa": f"{_DOCUMENTS}.stvqa:STVQA",
    "ocrbench": f"{_DOCUMENTS}.ocrbench:OCRBENCH",
    "countbenchqa": f"{_COUNTING}.countbenchqa:COUNTBENCHQA",
    "pixmo_count": f"{_COUNTING}.pixmo_count:PIXMO_COUNT",
    "tallyqa": f"{_COUNTING}.tallyqa:TALLYQA",
    "coco_captions": f"{_CAPTIONS}.coco:COCO",
    "nocaps": f"{_CAPTIONS}.nocaps:NOCAPS",
    "flickr30k": f"{_CAPTIONS}.flickr30k:FLICKR30K",
    "textcaps": f"{_CAPTIONS}.textcaps:TEXTCAPS",
    "chair": f"{_CAPTIONS}.chair:CHAIR",
    "amber_g": f"{_CAPTIONS}.amber_g:AMBER_G",
    "mathvista": f"{_MATHEMATICS}.mathvista:MATHVISTA",
    "mathvision": f"{_MATHEMATICS}.mathvision:MATHVISION",
    "mathverse": f"{_MATHEMATICS}.mathverse:MATHVERSE",
    "refcoco": f"{_GROUNDING}.refcoco:REFCOCO",
    "refcoco_reg": f"{_GROUNDING}.refcoco_reg:REFCOCO_REG",
    "coco_detection": f"{_GROUNDING}.coco_detection:COCO_DETECTION",
    "screenspot": f"{_GROUNDING}.screenspot:SCREENSPOT",
    "screenspot_v2": f"{_GROUNDING}.screenspot:SCREENSPOT_V2",
    "mmvet": f"{_JUDGED}.mmvet:MMVET",
    "mmvet_v2": f"{_JUDGED}.mmvet_v2:MMVET_V2",
    "charxiv": f"{_JUDGED}.charxiv:CHARXIV",
    "mmhal": f"{_JUDGED}.mmhal:MMHAL",
    "llava_bench": f"{_JUDGED}.llava_bench:LLAVA_BENCH",
}
LISTING = Path(__file__).with_name("listing.json")
"""What `vlmbench tasks` prints of them, printed by `make docs`: listing them imports none."""
