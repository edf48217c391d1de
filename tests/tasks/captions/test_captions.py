"""Captions: official layouts, the hub's schemas, bad files, answer files and figures."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base import registry
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.data.files import Folder, Hub
from vlmbench.families.captions import Captions, one_line
from vlmbench.tasks.captions.coco import COCO
from vlmbench.tasks.captions.flickr30k import FLICKR30K
from vlmbench.tasks.captions.nocaps import NOCAPS
from vlmbench.tasks.captions.textcaps import TEXTCAPS

TASKS = ("coco_captions", "nocaps", "flickr30k", "textcaps")
FIVE = ["A dog.", "a dog runs", "One dog on grass", "a brown dog", "The dog's run"]
PNG = png((10, 20, 30))


def write(path: Path, content: object) -> Path:
    """A JSON file, or a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def coco_form(*, domain: str = "", annotations: bool = True, ids: Sequence[int] = (7, 8)) -> dict[str, Any]:
    """Two images in COCO's form."""
    images = [{"id": key, "file_name": f"{key}.jpg", **({"domain": domain} if domain else {})} for key in ids]
    content: dict[str, Any] = {"info": {}, "images": images}
    if annotations:
        texts = [(key, text) for key in ids for text in FIVE]
        content["annotations"] = [{"id": n, "image_id": key, "caption": text} for n, (key, text) in enumerate(texts)]
    return content


def karpathy_form() -> dict[str, Any]:
    """An image of the test split, one of another."""
    images = [
        {
            "filepath": "val2014",
            "filename": f"COCO_val2014_{key:012d}.jpg",
            "cocoid": key,
            "split": split,
            "sentences": [{"raw": text} for text in FIVE],
        }
        for key, split in ((7, "test"), (8, "restval"))
    ]
    return {"images": images, "dataset": "coco"}


LAYOUTS: Mapping[str, tuple[Captions, str, dict[str, object], str, str]] = {
    "karpathy": (COCO, "karpathy_test", {"dataset_coco.json": karpathy_form()}, "7", "COCO_val2014_000000000007.jpg"),
    "blip": (
        COCO,
        "karpathy_test",
        {"coco_karpathy_test.json": [{"image": "val2014/COCO_val2014_000000000007.jpg", "caption": FIVE}]},
        "7",
        "COCO_val2014_000000000007.jpg",
    ),
    "coco": (COCO, "val2014", {"annotations/captions_val2014.json": coco_form()}, "7", "7.jpg"),
    "nocaps": (NOCAPS, "val", {"nocaps_val_4500_captions.json": coco_form(domain="in-domain")}, "7", "7.jpg"),
    "flickr in COCO's form": (FLICKR30K, "karpathy_test", {"flickr30k_test_karpathy.json": coco_form()}, "7", "7.jpg"),
    "flickr's lines": (
        FLICKR30K,
        "karpathy_test",
        {
            "results_20130124.token": "".join(f"7.jpg#{n}\t{text}\n9.jpg#{n}\tno\n" for n, text in enumerate(FIVE)),
            "test.txt": "7\n",
        },
        "7",
        "7.jpg",
    ),
    "textcaps": (
        TEXTCAPS,
        "val",
        {"TextCaps_0.1_val.json": {"data": [{"image_id": "0a7", "caption_str": text} for text in FIVE]}},
        "0a7",
        "0a7.jpg",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_official_layouts(layout: str, tmp_path: Path) -> None:
    task, split, files, key, name = LAYOUTS[layout]
    for path, content in files.items():
        write(tmp_path / path, content)
    places = task.required_files(split)
    (tmp_path / places[1].path).mkdir(exist_ok=True)
    (tmp_path / places[1].path / name).write_bytes(PNG)
    sample = task.samples(Folder(tmp_path), split)[0]
    assert (sample.id, list(sample.target), sample.question) == (key, FIVE, "Describe the image.")
    assert sample.images[0].load() == PNG and sample.cluster == sample.images[0].name
    assert task.build_request(sample, "official").prompt == "Provide a one-sentence caption for the provided image."


def test_vlmevalkits_table(tmp_path: Path) -> None:
    image = base64.b64encode(PNG).decode()
    cell = repr(FIVE).replace('"', '""')
    write(tmp_path / "COCO_VAL.tsv", f'index\timage\tanswer\n3\t{image}\t"{cell}"\n')
    (sample,) = COCO.samples(Folder(tmp_path), "vlmevalkit_val")
    assert list(sample.target) == FIVE
    request = COCO.build_request(sample, "vlmevalkit")
    assert request.prompt.startswith("Please describe this image in general.") and request.generation.max_new_tokens


HUB_ROWS: Mapping[str, tuple[Captions, str, str, str, dict[str, Any], str]] = {
    "coco": (
        COCO,
        "val2014",
        "lmms-lab/COCO-Caption",
        "val",
        {"question_id": "COCO_val2014_000000000007.jpg", "question": "?", "answer": FIVE, "id": 5},
        "7",
    ),
    "nocaps": (
        NOCAPS,
        "val",
        "lmms-lab/NoCaps",
        "validation",
        {"image_id": 7, "annotations_captions": FIVE, "image_domain": "near-domain"},
        "7",
    ),
    "flickr": (
        FLICKR30K,
        "all",
        "lmms-lab/flickr30k",
        "test",
        {"caption": FIVE, "sentids": ["1"], "img_id": "7", "filename": "10007.jpg"},
        "7",
    ),
    "textcaps": (
        TEXTCAPS,
        "val",
        "lmms-lab/TextCaps",
        "val",
        {"question_id": 1, "question": "?", "image_id": "0a7", "caption_str": FIVE},
        "0a7",
    ),
    "textcaps test": (TEXTCAPS, "test", "lmms-lab/TextCaps", "test", {"image_id": "0a7", "caption_str": None}, "0a7"),
}


@pytest.mark.parametrize("name", HUB_ROWS)
def test_hub_schemas(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    task, split, repository, part, row, key = HUB_ROWS[name]
    path = tmp_path / repository / "data" / f"{part}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    features = {"image": datasets.Image(decode=False)}
    data = datasets.Dataset.from_list([{**row, "image": {"bytes": PNG, "path": None}}])
    data.cast_column("image", features["image"]).to_parquet(str(path))
    (sample,) = task.samples(Hub(tmp_path), split)
    assert (sample.id, sample.images[0].load()) == (key, PNG)
    assert sample.target is None if name == "textcaps test" else list(sample.target) == FIVE
    assert sample.tags == ({"domain": "near-domain"} if name == "nocaps" else {})


def _broken() -> dict[str, tuple[str, object, str]]:
    """What is wrong: (where in the file's name, its content, what the error says)."""
    foreign, doubled, lacking, twice = coco_form(), coco_form(ids=(7, 7)), coco_form(), coco_form()
    foreign["annotations"][0]["image_id"] = 99
    lacking["annotations"] = lacking["annotations"][:5]
    twice["annotations"][1]["id"] = 0
    wrong = coco_form()
    wrong["annotations"][0]["caption"] = 5
    coco = "annotations/captions_val2014.json"
    return {
        "annotation of no image": (coco, foreign, "there is no image '99'"),
        "image twice": (coco, doubled, "'7' is there twice"),
        "annotation twice": (coco, twice, "'0' is there twice"),
        "image without captions": (coco, lacking, "the image has no caption"),
        "caption that is a number": (coco, wrong, "text was expected"),
        "cut off": (coco, json.dumps(coco_form())[:-30], "cut off"),
        "no images": (coco, {"images": [], "annotations": []}, "'images' is empty"),
        "another file": (coco, {"questions": []}, "list 'images'"),
    }


@pytest.mark.parametrize("name", _broken())
def test_bad_files(name: str, tmp_path: Path) -> None:
    path, content, message = _broken()[name]
    write(tmp_path / path, content)
    with pytest.raises(DataError, match=message):
        COCO.samples(Folder(tmp_path), "val2014")


def test_bad_files_of_other_forms(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="captions of karpathy_test is not there"):
        COCO.samples(Folder(tmp_path), "karpathy_test")
    write(tmp_path / "dataset_coco.json", {"images": [{**karpathy_form()["images"][1]}]})
    with pytest.raises(DataError, match="no image of the split 'test'"):
        COCO.samples(Folder(tmp_path), "karpathy_test")
    write(tmp_path / "results_20130124.token", "7.jpg#0\ta dog\nnothing\n")
    with pytest.raises(DataError, match="the list of test images"):
        FLICKR30K.samples(Folder(tmp_path), "karpathy_test")
    write(tmp_path / "test.txt", "7\n")
    with pytest.raises(DataError, match="no line of the form"):
        FLICKR30K.samples(Folder(tmp_path), "karpathy_test")
    write(tmp_path / "results_20130124.token", "7.jpg#0\ta dog\n")
    write(tmp_path / "test.txt", "7\n8\n")
    with pytest.raises(DataError, match="the image has no caption"):
        FLICKR30K.samples(Folder(tmp_path), "karpathy_test")
    rows = [{"image_id": "a", "caption_str": "x"}, {"image_id": "a"}]
    write(tmp_path / "TextCaps_0.1_val.json", {"data": rows})
    with pytest.raises(DataError, match="another row, and no caption"):
        TEXTCAPS.samples(Folder(tmp_path), "val")
    with pytest.raises(DataError, match="no copy on the hub"):
        COCO.samples(Hub(tmp_path), "karpathy_test")


def test_a_test_split_is_asked_and_exported(tmp_path: Path) -> None:
    write(tmp_path / "nocaps_test_image_info.json", coco_form(domain="out-domain", annotations=False))
    samples = NOCAPS.samples(Folder(tmp_path), "test")
    score = NOCAPS.score(samples[0], Response("a dog"), "official")
    assert (score.status, score.value) == (Status.UNLABELED, None)
    NOCAPS.export({"7": "a\u2028dog", "8": "two\rcats"}, samples, "official", tmp_path / "results.json")
    rows = json.loads((tmp_path / "results.json").read_text())
    assert rows == [{"image_id": 7, "caption": "a dog"}, {"image_id": 8, "caption": "two cats"}]
    assert NOCAPS.read_predictions(tmp_path / "results.json", samples) == {"7": "a dog", "8": "two cats"}


def samples_of(name: str) -> Sequence[Sample]:
    """The embedded sample."""
    task = registry.tasks.get(name)
    return list(task.samples(Folder.sample(name), task.splits[0]))


@pytest.mark.parametrize("name", TASKS)
def test_right_captions_and_wrong_ones(name: str) -> None:
    """A reference as the caption has the highest figures; another image's has lower ones; all figures are finite."""
    task, samples = registry.tasks.get(name), samples_of(name)
    for protocol in task.protocols:
        ours = [(s, task.score(s, Response(s.target[0]), protocol)) for s in samples]
        others = [
            (s, task.score(s, Response(other.target[0]), protocol))
            for s, other in zip(samples, reversed(samples), strict=True)
        ]
        best, worse = ({m.name: m.value() for m in task.summarise(pairs, protocol)} for pairs in (ours, others))
        assert best["bleu_4"] == pytest.approx(100, abs=1e-6) and best["rouge_l"] == pytest.approx(100)
        assert all(worse[figure] < best[figure] for figure in best)
        assert all(score.value == 1 for _, score in ours)


def test_domains_of_nocaps() -> None:
    samples = samples_of("nocaps")
    scored = [(s, NOCAPS.score(s, Response(s.target[3]), "official")) for s in samples]
    metrics = {metric.name: metric for metric in NOCAPS.summarise(scored, "official")}
    for domain in ("in-domain", "near-domain", "out-domain"):
        own, part = metrics[f"domain_{domain}"], metrics[f"domain_{domain}_in_the_whole"]
        assert own.value() != part.value() and (own.label, part.label) == (domain, domain)
        assert own.breakdown != part.breakdown and own.n is None and len(own.items) == 8
    whole = sum(metrics[f"domain_{d}_in_the_whole"].value() for d in ("in-domain", "near-domain", "out-domain")) / 3
    assert whole == pytest.approx(metrics["cider"].value())


@pytest.mark.parametrize("separator", ["\r", "\u2028", "\x0b"])
def test_a_separator_moves_no_caption(separator: str) -> None:
    """The figures are those of the caption in one line."""
    samples = samples_of("coco_captions")
    texts = [s.target[0] for s in samples]
    texts[0] = texts[0].replace(" on ", f"{separator}on ")
    values = []
    for captions in (texts, [one_line(text) for text in texts]):
        scored = [(s, COCO.score(s, Response(text), "official")) for s, text in zip(samples, captions, strict=True)]
        values.append([metric.value() for metric in COCO.summarise(scored, "official")])
    assert values[0] == values[1] and values[0][0] > 100


def test_answer_files(tmp_path: Path) -> None:
    """Official results, whose column caption is the model's; rows of id and text; not annotations."""
    samples = samples_of("coco_captions")[:2]
    keys = [int(sample.id) for sample in samples]
    right = {sample.id: "a dog" for sample in samples}
    rows = [{"image_id": key, "caption": "a dog"} for key in keys]
    assert COCO.read_predictions(write(tmp_path / "a.json", rows), samples) == right
    others = [{"question_id": key, "text": "a dog"} for key in keys]
    assert COCO.read_predictions(write(tmp_path / "b.json", others), samples) == right
    for bad, message in (
        (rows[:1], "1 of 2 questions have no answer"),
        ([*rows, rows[0]], "answered twice"),
        ([*rows, {"image_id": 5, "caption": "a"}], "1 id answers no question"),
        ([rows[0], {"image_id": keys[1], "caption": None}], "null"),
        ([{"image_id": key, "caption": "a", "id": n} for n, key in enumerate(keys)], "no column"),
    ):
        with pytest.raises(PredictionsError, match=message):
            COCO.read_predictions(write(tmp_path / "c.json", bad), samples)


def test_min_tokens_and_shots() -> None:
    sample = samples_of("coco_captions")[0]
    generation = COCO.build_request(sample, "internvl").generation
    assert (generation.min_new_tokens, generation.max_new_tokens) == (8, 30)
    assert COCO.example_answer(sample, "official") == sample.target[0]
