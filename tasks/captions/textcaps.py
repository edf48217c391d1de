"""TextCaps: captions that must read the text in an image; 3,166 images (val), five references each.

Sidorov et al., TextCaps: a dataset for image captioning with reading comprehension, ECCV 2020 (arXiv 2003.12462).
Files: TextCaps_0.1_val.json, with a row per caption; images of TextVQA. The test split's references are with its
server (EvalAI).
"""

from __future__ import annotations

from vlmbench.base.task import DataFile, Size
from vlmbench.data.official import captions
from vlmbench.data.official.captions import CaptionFiles
from vlmbench.data.official.files import data_file, mirrored, places
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.families import captions as protocols
from vlmbench.families.captions import Captions

LICENCE = "CC BY 4.0 (captions)"
FACEBOOK = "https://dl.fbaipublicfiles.com/textvqa"
HUB = Columns(
    id="image_id",
    made={"question": lambda row: captions.QUESTION},
    made_from=("image_id",),
    answer="caption_str",
    target=captions.references,
    extra={},
    hidden_answers=True,
)


def _file(split: str) -> DataFile:
    name = f"TextCaps_0.1_{split}.json"
    return data_file(places([name], "textcaps/"), "images and captions", f"{FACEBOOK}/data/textcaps/{name}", LICENCE)


def _images(split: str, archive: str, folder: str) -> DataFile:
    return data_file([folder, "images"], f"images of {split}", f"{FACEBOOK}/images/{archive}.zip", LICENCE)


TEXTCAPS = Captions(
    name="textcaps",
    title="TextCaps: captions that read the text in an image (Sidorov et al. 2020)",
    about=__doc__,
    sizes={"val": Size(3_166, 3_166), "test": Size(3_289, 3_289, answers=False)},
    rules={
        "official": protocols.official("facebookresearch/mmf, TextCaps; its server on EvalAI"),
        "lmms_eval": protocols.lmms_eval("textcaps/{_default_template_textcaps_yaml,utils.py}"),
        "minigpt_v2": protocols.minigpt_v2(),
    },
    files=CaptionFiles(
        {split: ((_file(split), captions.rows_by_image),) for split in ("val", "test")},
        {
            "val": _images("val", "train_val_images", "train_images"),
            "test": _images("test", "test_images", "test_images"),
        },
        {split: HubDataset(mirrored("TextCaps"), {split: split}, HUB, licence=LICENCE) for split in ("val", "test")},
    ),
    answer_files=protocols.results(numbers=False),
    withheld_note="the references are not published: only the server on EvalAI can score this split",
)
