"""Flickr30k: captions of photographs, five references each; 1,000 images of Karpathy's test split, or all 31,783.

Young et al., From image descriptions to visual denotations, TACL 2014; the split: Karpathy and Fei-Fei, CVPR 2015.
Files: dataset_flickr30k.json, InternVL's flickr30k_test_karpathy.json in COCO's form, or results_20130124.token beside
a list of the test images (test.txt). The hub's copy that lmms-eval calls test has all images.
"""

from __future__ import annotations

from vlmbench.base.task import Size
from vlmbench.data.official import captions
from vlmbench.data.official.captions import CaptionFiles
from vlmbench.data.official.files import data_file, mirrored, places
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.families import captions as protocols
from vlmbench.families.captions import Captions

LICENCE = "research only"
SPLITS = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
INTERNVL = "https://github.com/OpenGVLab/InternVL/releases/download/data/flickr30k_test_karpathy.json"
IMAGES = data_file(
    ["flickr30k-images", "Images", "images"],
    "31,783 images",
    licence=LICENCE,
    how="ask for them by the form of the University of Illinois",
)
WHOLE = data_file(places(["dataset_flickr30k.json"], "annotations/"), "captions and splits", SPLITS, LICENCE)
IN_COCO_FORM = data_file(["flickr30k_test_karpathy.json"], "captions of the test split", INTERNVL, LICENCE)
TOKENS = data_file(
    ["results_20130124.token", "flickr30k/results_20130124.token"], "captions, a line each", licence=LICENCE
)
TEST_LIST = ("test.txt", "flickr30k_entities/test.txt")


HUB = Columns(
    id="img_id",
    made={"question": lambda row: captions.QUESTION},
    made_from=("img_id",),
    answer="caption",
    target=captions.references,
    extra={},
)

FLICKR30K = Captions(
    name="flickr30k",
    title="Flickr30k: captions of photographs, five references each (Young et al. 2014)",
    about=__doc__,
    sizes={"karpathy_test": Size(1_000, 1_000), "all": Size(31_783, 31_783)},
    rules={
        "official": protocols.official("the measure of papers; the authors have no scorer of their own"),
        "lmms_eval": protocols.lmms_eval("flickr30k/{flickr30k_test.yaml,utils.py}", note="asked of all images"),
        "internvl": protocols.internvl(),
        "minigpt_v2": protocols.minigpt_v2(),
    },
    files=CaptionFiles(
        {
            "karpathy_test": (
                (WHOLE, captions.karpathy("test")),
                (IN_COCO_FORM, captions.coco),
                (TOKENS, captions.lines(TEST_LIST, "the list of test images")),
            )
        },
        {"karpathy_test": IMAGES},
        {"all": HubDataset(mirrored("flickr30k"), {"all": "test"}, HUB, licence=LICENCE)},
    ),
    answer_files=protocols.results(),
)
