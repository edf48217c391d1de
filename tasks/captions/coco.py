"""COCO captions: 5,000 images of Karpathy's test split, five references each; or a whole split of COCO.

Chen et al., Microsoft COCO Captions (arXiv 1504.00325); the split: Karpathy and Fei-Fei, CVPR 2015. Its files:
dataset_coco.json, or BLIP's and InternVL's coco_karpathy_test.json. COCO's own: annotations/captions_*.json;
test2014's references are with its server. VLMEvalKit's table COCO_VAL.tsv does not say which images of COCO it has.

CIDEr depends on the set of images that is scored: the words' weights come from its references, so that the figure of a
part is no estimate of the whole's; intervals keep the weights. METEOR and SPICE are left out: they need Java, and
tables of paraphrases, synonyms and grammar.
"""

from __future__ import annotations

from vlmbench.base.task import DataFile, Size
from vlmbench.data.official import captions
from vlmbench.data.official.captions import CaptionFiles
from vlmbench.data.official.files import COCO as ADDRESS
from vlmbench.data.official.files import coco_images, data_file, mirrored, places
from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, table
from vlmbench.families import captions as protocols
from vlmbench.families.captions import Captions

LICENCE = "CC BY 4.0 (captions); COCO terms of use (images)"
SPLITS = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
BLIP = "https://storage.googleapis.com/sfr-vision-language-research/datasets/coco_karpathy_{}.json"
WHOLE = data_file(places(["dataset_coco.json"], "annotations/"), "captions and splits", SPLITS, LICENCE)


def _own(name: str, archive: str) -> DataFile:
    """One of COCO's files, in the archive with its like."""
    where = [f"annotations/{name}.json", f"{name}.json"]
    return data_file(where, "captions", f"{ADDRESS}/annotations/{archive}.zip", LICENCE)


def _listed(part: str) -> DataFile:
    where = places([f"coco_karpathy_{part}.json"], "annotations/")
    return data_file(where, "captions by image", BLIP.format(part), LICENCE)


def image_id(row: Row) -> str:
    """The number of `COCO_val2014_000000391895.jpg`, as COCO has it."""
    number = row.key("question_id").rpartition("_")[2].partition(".")[0]
    if not number.isdecimal():
        raise row.error("question_id", f"no name of a COCO image: {row.key('question_id')!r:.60}")
    return str(int(number))


HUB = Columns(
    id="image_id",
    made={"image_id": image_id, "question": lambda row: captions.QUESTION},
    made_from=("question_id",),
    target=captions.references,
    extra={},
)
VAL2014, VAL2017 = coco_images("val2014", "COCO val2014 images"), coco_images("val2017", "COCO val2017 images")

COCO = Captions(
    name="coco_captions",
    title="COCO captions: one sentence about an image, five references (Chen et al. 2015)",
    about=__doc__,
    sizes={
        "karpathy_test": Size(5_000, 5_000),
        "karpathy_val": Size(5_000, 5_000),
        "val2014": Size(40_504, 40_504),
        "val2017": Size(5_000, 5_000),
        "test2014": Size(40_775, 40_775, answers=False),
    },
    unsized=("vlmevalkit_val",),
    rules={
        "official": protocols.official("tylin/coco-caption"),
        "lmms_eval": protocols.lmms_eval("coco_cap/{coco2014_cap_val.yaml,utils.py}"),
        "lmms_eval_karpathy": protocols.lmms_eval(
            "coco_cap/{coco_karpathy_test.yaml,utils.py}",
            "Describe the image briefly.",
            "its tasks of Karpathy's splits, which download each image",
        ),
        "vlmevalkit": protocols.vlmevalkit(),
        "internvl": protocols.internvl(),
        "minigpt_v2": protocols.minigpt_v2(),
    },
    files=CaptionFiles(
        {
            "karpathy_test": ((WHOLE, captions.karpathy("test")), (_listed("test"), captions.listed)),
            "karpathy_val": ((WHOLE, captions.karpathy("val")), (_listed("val"), captions.listed)),
            "val2014": ((_own("captions_val2014", "annotations_trainval2014"), captions.coco),),
            "val2017": ((_own("captions_val2017", "annotations_trainval2017"), captions.coco),),
            "test2014": ((_own("image_info_test2014", "image_info_test2014"), captions.coco),),
        },
        {
            "karpathy_test": VAL2014,
            "karpathy_val": VAL2014,
            "val2014": VAL2014,
            "val2017": VAL2017,
            "test2014": coco_images("test2014", "COCO test2014 images"),
        },
        {
            "val2014": HubDataset(mirrored("COCO-Caption"), {"val2014": "val"}, HUB, licence=LICENCE),
            "test2014": HubDataset(mirrored("COCO-Caption"), {"test2014": "test"}, HUB, licence=LICENCE),
            "val2017": HubDataset(mirrored("COCO-Caption2017"), {"val2017": "val"}, HUB, licence=LICENCE),
        },
        {
            "vlmevalkit_val": ImageTable(
                {
                    "vlmevalkit_val": table(
                        "COCO_VAL.tsv", "https://opencompass.openxlab.space/utils/VLMEval", licence=LICENCE
                    )
                },
                Columns(
                    id="index",
                    made={"question": lambda row: captions.QUESTION},
                    target=captions.references,
                    extra={},
                ),
            )
        },
    ),
    answer_files=protocols.results(),
    withheld_note="the references are not published: only the COCO server can score this split",
)
