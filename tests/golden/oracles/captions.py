"""Captions: the tokenizer, and the figures of sets of images under each protocol of each benchmark. CHAIR: its words.

Left out by name: METEOR, which is a Java program; and `line_separators`, the official mistake by which a carriage
return in one caption moves all later captions to other images.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.golden.oracles.reading import (
    ABSENT,
    Check,
    Files,
    Oracle,
    Outcome,
    Readers,
    percent,
    run,
    write_json,
    write_tsv,
)
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Sample, Score
from vlmbench.families.captions import Captions, overlap_of
from vlmbench.scoring.captions.objects import named, words
from vlmbench.scoring.captions.overlap import Overlap, bleu
from vlmbench.scoring.captions.singular import singular
from vlmbench.scoring.captions.tokenizer import tokenize, tokenize_lines
from vlmbench.tasks.captions import chair

FIGURES = {"CIDEr": "cider", "ROUGE_L": "rouge_l", **{f"Bleu_{n}": f"bleu_{n}" for n in (1, 2, 3, 4)}}
LEFT_OUT = ("METEOR: ours has none", "line_separators: the official mistake")


def tokenizer(oracle: Oracle, _: str) -> None:
    """Texts by themselves."""
    count = 0
    for texts, column in (("texts", "tokenizer"), ("ordinary", "tokenizer_ordinary")):
        given, right = oracle.cases[texts], oracle.expected[column]
        differ = [(text, found) for text, found in zip(given, right, strict=True) if _joined(tokenize(text)) != found]
        assert not differ, f"{len(differ)} of {len(given)} texts differ, e.g. {differ[:3]}"
        count += len(given)
    for name in LEFT_OUT:
        oracle.report(ABSENT, name)
    oracle.count(count)


def tokens_of_sets(oracle: Oracle, _: str) -> None:
    """Captions and references in the order in which the official code writes them into one file."""
    for name, right in oracle.expected["sets"].items():
        if not oracle.has(right.get("tokens"), f"tokens of {name}"):
            continue
        images = oracle.cases["sets"][name]
        references = [text for image in images for text in image["references"]]
        found = [_joined(tokens) for tokens in tokenize_lines(references)]
        assert found == [text for texts in right["tokens"]["references"] for text in texts], name
        captions = tokenize_lines([image["caption"] for image in images])
        assert [_joined(tokens) for tokens in captions] == right["tokens"]["caption"], name
    oracle.count(sum(len(images) for images in oracle.cases["sets"].values()))


def _joined(tokens: tuple[str, ...]) -> str:
    return " ".join(tokens)


# ---------------------------------------------------------------------------------------------------- files and figures

Images = list[dict[str, Any]]


def _coco(root: Path, images: Images) -> Path:
    rows = [
        {
            "filepath": "val2014",
            "filename": f"COCO_val2014_{image['image_id']:012d}.jpg",
            "cocoid": image["image_id"],
            "split": "test",
            "sentences": [{"raw": text} for text in image["references"]],
        }
        for image in images
    ]
    write_json(root / "dataset_coco.json", {"images": rows, "dataset": "coco"})
    return root


def _coco_form(name: str) -> Callable[[Path, Images], Path]:
    def write(root: Path, images: Images) -> Path:
        annotations = [(image["image_id"], text) for image in images for text in image["references"]]
        rows = [{"id": i["image_id"], "file_name": f"{i['image_id']}.jpg", "domain": i["domain"]} for i in images]
        captions = [{"id": n, "image_id": key, "caption": text} for n, (key, text) in enumerate(annotations)]
        write_json(root / name, {"images": rows, "annotations": captions})
        return root

    return write


def _textcaps(root: Path, images: Images) -> Path:
    rows = [(str(image["image_id"]), text) for image in images for text in image["references"]]
    data = [{"image_id": key, "caption_str": text} for key, text in rows]
    write_json(root / "TextCaps_0.1_val.json", {"data": data})
    return root


def _kit(root: Path, images: Images) -> Path:
    picture = base64.b64encode(bytes(300)).decode()  # nobody looks at it
    rows = [{"index": i["image_id"], "image": picture, "answer": repr(i["references"])} for i in images]
    write_tsv(root / "COCO_VAL.tsv", ("index", "image", "answer"), rows)
    return root


@dataclass(frozen=True)
class Layout:
    """How a benchmark's cases become its files."""

    task: str
    split: str
    write: Callable[[Path, Images], Path]
    protocols: tuple[str, ...]


LAYOUTS = (
    Layout("coco_captions", "karpathy_test", _coco, ("official", "lmms_eval", "lmms_eval_karpathy", "internvl")),
    Layout("coco_captions", "vlmevalkit_val", _kit, ("vlmevalkit",)),
    Layout("nocaps", "val", _coco_form("nocaps_val_4500_captions.json"), ("official", "lmms_eval", "internvl")),
    Layout("flickr30k", "karpathy_test", _coco_form("flickr30k_test_karpathy.json"), ("official", "lmms_eval")),
    Layout("textcaps", "val", _textcaps, ("official", "lmms_eval")),
)
VARIANTS: Mapping[str, Layout] = {f"{one.task}@{protocol}": one for one in LAYOUTS for protocol in one.protocols}


def figures(oracle: Oracle, variant: str) -> None:
    """Every figure of every set; those of single images too."""
    layout, protocol = VARIANTS[variant], variant.partition("@")[2]
    for name, images in oracle.cases["sets"].items():
        outcome = _run(oracle.scratch / name, layout, protocol, images)
        right = oracle.expected["sets"][name]
        if protocol == "vlmevalkit":
            kit = right["vlmevalkit_without_tokenizer"]
            oracle.figures(outcome.values, {FIGURES[n]: kit[n] for n in ("CIDEr", "ROUGE_L")}, f"{variant}: {name}")
            ours = {f"Bleu_{n}": value for n, value in enumerate(kit["Bleu"], 1)}
            oracle.figures(outcome.values, {FIGURES[n]: value for n, value in ours.items()}, f"{variant}: {name}")
        else:
            oracle.figures(outcome.values, _ours(right["corpus"]), f"{variant}: {name}")
            _single_images(oracle, outcome, variant, right["per_image"])
    oracle.count(sum(len(images) for images in oracle.cases["sets"].values()))


def _run(root: Path, layout: Layout, protocol: str, images: Images) -> Outcome:
    return run(
        layout.task, protocol, Files(layout.write(root, images), [image["caption"] for image in images], layout.split)
    )


def _ours(figures: Mapping[str, Any]) -> dict[str, float | None]:
    return {ours: percent(figures[theirs]) for theirs, ours in FIGURES.items()}


def _single_images(oracle: Oracle, outcome: Outcome, variant: str, right: Mapping[str, list[float]]) -> None:
    overlap = _overlap(outcome, variant)
    sums = overlap.bleu_sums()
    ours: Mapping[str, Sequence[float]] = {
        "CIDEr": overlap.cider().tolist(),
        "ROUGE_L": overlap.rouge(),
        "Bleu_1": bleu(sums, 1).tolist(),
        "Bleu_4": bleu(sums, 4).tolist(),
    }
    for figure, values in right.items():
        if figure in ours:
            by_image = {str(n): value for n, value in enumerate(ours[figure])}
            oracle.figures(by_image, {str(n): value for n, value in enumerate(values)}, f"{variant}: {figure}")


def _overlap(outcome: Outcome, variant: str) -> Overlap:
    choice = choose_task(variant)
    assert isinstance(choice.task, Captions)
    return overlap_of(outcome.scored, choice.task.rules[choice.protocol])


def domains(oracle: Oracle, _: str) -> None:
    """NoCaps: each domain as a set by itself, and its part of the whole set's figure."""
    for name, right in oracle.expected["sets"].items():
        if "by_domain_own_df" not in right:
            continue
        images = oracle.cases["sets"][name]
        outcome = _run(oracle.scratch / name, VARIANTS["nocaps@official"], "official", images)
        overlap, whole = _overlap(outcome, "nocaps@official"), right["by_domain_mean_of_whole_df"]
        for domain, table in right["by_domain_own_df"].items():
            bars = {f"domain_{domain}": table["CIDEr"], f"domain_{domain}_in_the_whole": whole[domain]["CIDEr"]}
            oracle.figures(outcome.values, {bar: percent(value) for bar, value in bars.items()}, f"bars of {name}")
            part = overlap.part([row for row, image in enumerate(images) if image["domain"] == domain])
            ours = {f"bleu_{n}": 100 * float(bleu(part.bleu_sums().sum(axis=0), n)) for n in (1, 2, 3, 4)}
            ours |= {"cider": 100 * float(part.cider().mean()), "rouge_l": 100 * fmean(part.rouge())}
            oracle.figures(ours, _ours(table), f"{domain} of {name}")
        oracle.count(len(images))


# --------------------------------------------------------------------------------------------------------------- CHAIR


def whole(text: str) -> list[str]:
    """The oracle takes captions for one sentence each: NLTK's model of sentences was not at hand."""
    return [text]


def deduced(oracle: Oracle) -> tuple[dict[str, str], set[str]]:
    """(words with their objects, words that are none), as far as the official results say so.

    The oracle has no list of synonyms. What it calls hallucinated are pairs of word and object; the rest follows where
    as many words of a caption are left as objects, or none.
    """
    known = {name: name for row in oracle.cases["instances"] for name in (row["category"],)}
    known |= {word: thing for row in oracle.expected["per_case"] for word, thing in row["hallucinated"]}
    none: set[str] = set()
    before = -1
    while before != len(known) + len(none):
        before = len(known) + len(none)
        for row in oracle.expected["per_case"]:
            left, things = [word for word in row["words"] if word not in none], list(row["generated"])
            unknown = [word for word in left if word not in known]
            for word in left:
                if word in known and known[word] in things:
                    things.remove(known[word])
            if not things:
                none |= {*unknown} - {"seat"}  # which is a chair where there is no toilet
            elif len(things) == len(unknown) and len({*things}) == 1:  # several kinds may be in another order
                known |= dict.fromkeys(unknown, things[0])
    return known, none


def chair_words(oracle: Oracle, _: str) -> None:
    """Singulars, and the words of every caption."""
    table = {word: right for word, right in oracle.expected["singularize"].items() if word == word.lower()}
    assert {word: singular(word) for word in table} == table
    for case, row in zip(oracle.cases["captions"], oracle.expected["per_case"], strict=True):
        assert words(case["caption"], whole) == row["words"], case
    oracle.count(len(oracle.cases["captions"]))


def chair_objects(oracle: Oracle, _: str) -> None:
    """The objects of captions and references, and the figures. Images with a word that is not known are reported."""
    known, none = deduced(oracle)
    right = {row["image_id"]: row for row in oracle.expected["per_case"]}
    there: dict[int, set[str]] = {image: set() for image in right}
    unknown = set()
    for row in oracle.cases["instances"]:
        there[row["image_id"]].add(known[row["category"]])
    for row in oracle.cases["references"]:
        there[row["image_id"]] |= {thing for _, thing in named(row["caption"], known, whole)}
        if {*words(row["caption"], whole)} - {*known, *none}:
            unknown.add(row["image_id"])
    for image, row in right.items():
        if image in unknown and there[image] < {*row["ground_truth"]}:
            oracle.has(None, "objects of references by words that the oracle does not explain")
            there[image] |= {*row["ground_truth"]}
    scored = []
    for case in oracle.cases["captions"]:
        row, key = right[case["image_id"]], case["image_id"]
        found = named(case["caption"], known, whole)
        assert sorted(there[key]) == sorted(row["ground_truth"]), row
        assert [[word, thing] for word, thing in found if thing not in there[key]] == row["hallucinated"], row
        explained = not {*row["words"]} - {*known, *none, "seat"}
        if oracle.has(explained or None, "objects of captions by words that the oracle does not explain"):
            assert [thing for _, thing in found] == row["generated"], row
        sample = Sample(str(key), "", (), chair.AND.join(sorted(there[key])), cluster=str(key))
        scored.append((sample, Score(0.0, parsed_answer=chair.AND.join(row["generated"]))))
    values = {metric.name: metric.value() for metric in chair.figures(scored, "official")}
    figures = {"chair_i": percent(oracle.expected["CHAIRi"]), "chair_s": percent(oracle.expected["CHAIRs"])}
    oracle.figures(values, figures, "CHAIR")


READERS: dict[str, Readers] = {
    "captions": (Check(tokenizer), Check(tokens_of_sets), Check(figures, tuple(VARIANTS)), Check(domains)),
    "chair": (Check(chair_words), Check(chair_objects)),
}
