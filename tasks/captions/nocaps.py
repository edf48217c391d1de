"""NoCaps: captions of 4,500 images (val) of things that COCO's captions lack, ten references each, by domain.

Agrawal et al., nocaps: novel object captioning at scale, ICCV 2019 (arXiv 1812.08658). In-domain images show what COCO
has, out-of-domain ones nothing of it. A domain's CIDEr is that of its images as a set by themselves; beside it its
part of the whole set's figure, which differs because the words' weights do. The test split's references are with its
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

LICENCE = "CC BY 2.0 (captions and images)"
ADDRESS = "https://nocaps.s3.amazonaws.com"


def _file(name: str, what: str) -> DataFile:
    return data_file(places([f"{name}.json"], "annotations/"), what, f"{ADDRESS}/{name}.json", LICENCE)


IMAGES = data_file(
    ["images", "val", "test"], "images of Open Images", licence=LICENCE, how="each image's address is in the file"
)
HUB = Columns(
    id="image_id",
    made={
        "question": lambda row: captions.QUESTION,
        "domain_name": lambda row: row.values.get("image_domain") or row.values.get("domain"),
    },
    made_from=("image_id",),
    answer="annotations_captions",
    target=captions.references,
    tags={"domain": "domain_name"},
    extra={"image_domain": "image_domain", "domain": "domain"},  # copies have one or the other
    hidden_answers=True,
)

NOCAPS = Captions(
    name="nocaps",
    title="NoCaps: captions of images of novel objects, by domain (Agrawal et al. 2019)",
    about=__doc__,
    sizes={"val": Size(4_500, 4_500), "test": Size(10_600, 10_600, answers=False)},
    rules={
        "official": protocols.official("nocaps-org, its evaluation server on EvalAI"),
        "lmms_eval": protocols.lmms_eval("nocaps/{_default_template_nocaps_yaml,utils.py}"),
        "internvl": protocols.internvl(),
        "minigpt_v2": protocols.minigpt_v2(),
    },
    files=CaptionFiles(
        {
            "val": ((_file("nocaps_val_4500_captions", "images, domains and captions"), captions.coco),),
            "test": ((_file("nocaps_test_image_info", "images and domains"), captions.coco),),
        },
        {"val": IMAGES, "test": IMAGES},
        {
            "val": HubDataset(mirrored("NoCaps"), {"val": "validation"}, HUB, licence=LICENCE),
            "test": HubDataset(mirrored("NoCaps"), {"test": "test"}, HUB, licence=LICENCE),
        },
    ),
    answer_files=protocols.results(),
    breakdowns=("domain",),
    withheld_note="the references are not published: only the server on EvalAI can score this split",
)
