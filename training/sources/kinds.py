"""The kinds of sources by name, and the function that opens them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, UnknownNameError

from . import captions, llava, regions, vqa
from .entries import Rows, Stream
from .listed import IndexedRows, Reader


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of source."""

    what: str
    """One line: what is read, and from which official file."""
    make: Callable[..., Reader] | None
    """Makes the reader; None for shards, which are streamed."""


def _inverse(about: str) -> Kind:
    return Kind(about, partial(regions.RefCoco, inverse=True))


_COCO, _PATH = "images: COCO train2014", "a folder with refs(...).p and instances.json"
KINDS: Mapping[str, Kind] = {
    "llava": Kind("dialogues in LLaVA's format: LLaVA-1.5 and ShareGPT4V, pre-training and tuning", llava.Llava),
    "cc_sbu_align": Kind("MiniGPT-4's stage 2: filter_cap.json with image/N.jpg beside it", captions.Aligned),
    "webdataset": Kind("shards of captioned images (tar): LAION, CC3M, CC12M, SBU", None),
    "coco_vqa": Kind(f"VQAv2, official or LAVIS's vqa_train.json; {_COCO}", vqa.Vqa),
    "ok_vqa": Kind(f"OK-VQA, official or LAVIS's okvqa_train.json; {_COCO}", vqa.Vqa),
    "aok_vqa": Kind(f"A-OKVQA, aokvqa_v1p0_train.json; {_COCO}", vqa.Aokvqa),
    "gqa": Kind("GQA, train_balanced_questions.json, official or LAVIS's", vqa.Gqa),
    "ocrvqa": Kind("OCR-VQA, dataset.json", vqa.OcrVqa),
    "refcoco": Kind(f"RefCOCO, {_PATH}; {_COCO}", regions.RefCoco),
    "refcocop": Kind(f"RefCOCO+, {_PATH}; {_COCO}", regions.RefCoco),
    "refcocog": Kind(f"RefCOCOg, {_PATH}; {_COCO}", regions.RefCoco),
    "invrefcoco": _inverse(f"RefCOCO, the box given; {_COCO}"),
    "invrefcocop": _inverse(f"RefCOCO+, the box given; {_COCO}"),
    "invrefcocog": _inverse(f"RefCOCOg, the box given; {_COCO}"),
    "refvg": Kind("Visual Genome's regions: region_descriptions.json and image_data.json", regions.VisualGenome),
    "flickr_grounded_caption": Kind("Flickr30k, groundedcaption.json", captions.GroundedCaption),
    "flickr_CaptionToPhrase": Kind("Flickr30k, captiontobbox.json", captions.CaptionToPhrases),
    "flickr_ObjectToPhrase": Kind("Flickr30k, phrasetobbox.json", captions.PhraseToBoxes),
    "coco_caption": Kind(f"Karpathy's coco_karpathy_train.json; {_COCO}", captions.CocoCaptions),
    "textcaps_caption": Kind("TextCaps_0.1_train.json", captions.TextCaps),
    "llava_conversation": Kind(f"conversation_58k.json as MiniGPT-v2 reads it; {_COCO}", llava.Dialogue),
    "llava_detail": Kind(f"detail_23k.json as MiniGPT-v2 reads it; {_COCO}", llava.Answer),
    "llava_reason": Kind(f"complex_reasoning_77k.json as MiniGPT-v2 reads it; {_COCO}", llava.Answer),
    "multitask_conversation": Kind(f"multi_task_conversation.json; {_COCO}", llava.Dialogue),
    "unnatural_instruction": Kind("filtered_unnatural_instruction.json: text alone", captions.Unnatural),
}
"""Named as MiniGPT-v2's training file names them, so that its mixture can be read beside ours."""


def open_rows(
    kind: str, path: Path | str, images: Path | str = "", *, seed: int = 0, max_bad: float = 0.01, **options: Any
) -> Rows | Stream:
    """Open a source. `path`: its annotation file or folder, or a pattern of shards; `images`: the folder of images.

    `max_bad` is the highest fraction of bad rows. Options are the kind's own: `form` (`minigptv2` or `llava`),
    `questions`, `split_by`, `inverse`; for shards `buffer`, `clean`. Raises UnknownNameError for a kind or an option
    that does not exist, DataError for a file that cannot be read or has too many bad rows.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of source", kind, KINDS)
    make = KINDS[kind].make
    if make is None:
        from .shards import Shards

        _check(kind, Shards, options)
        return Shards(str(path), name=kind, seed=seed, max_bad=max_bad, **options)
    _check(kind, make, options)
    if "form" in options and options["form"] not in captions.FORMS:
        raise UnknownNameError("form of rows", str(options["form"]), captions.FORMS)
    if images and not Path(images).is_dir():
        raise DataError("no such folder of images", where=str(images), hint="check the path")
    return IndexedRows(kind, make(Path(path), Path(images), **options), seed=seed, max_bad=max_bad)


def _check(kind: str, make: Callable[..., Any], options: Mapping[str, Any]) -> None:
    known = [
        name
        for name, parameter in inspect.signature(make).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {kind}", name, known)
