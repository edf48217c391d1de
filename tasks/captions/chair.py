"""CHAIR: objects that a description of a COCO image names, and that neither its annotations nor its captions have.

Rohrbach et al., Object Hallucination in Image Captioning, EMNLP 2018 (arXiv 1809.02156). CHAIRi is the share of named
objects that are not there, CHAIRs the share of descriptions with such an object; recall, which lmms-eval added, the
share of the objects there that are named. Files: Karpathy's split or COCO's captions of val2014, COCO's instances, and
synonyms.txt of LisaAnne/Hallucination, by which words are objects. Descriptions may have several sentences: papers on
language models ask for a detailed one of 500 images (`--limit 500`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Sample, Score
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, read_text
from vlmbench.data.official.files import COCO as ADDRESS
from vlmbench.data.official.files import by_key, data_file, rows_of_list
from vlmbench.families import captions as protocols
from vlmbench.families.base import Benchmark, OwnFiles, ProtocolRules, Scored
from vlmbench.scoring.captions.objects import named
from vlmbench.stats.metrics import LESS, MORE, RATE, Metric, ratio

from .coco import COCO

RAW = "https://raw.githubusercontent.com/LisaAnne/Hallucination/6e4d33c4bedf6dfcd24c61bf527f40714717be47"
SOURCE = "LisaAnne/Hallucination utils/chair.py@6e4d33c4"
SYNONYMS = data_file(
    ["synonyms.txt", "data/synonyms.txt"], "words by object", f"{RAW}/data/synonyms.txt", "BSD-2-Clause"
)
INSTANCES = data_file(
    ["annotations/instances_val2014.json", "instances_val2014.json"],
    "objects by image",
    f"{ADDRESS}/annotations/annotations_trainval2014.zip",
    "CC BY 4.0",
)
AND = ", "
"""Between the objects of a target, or of a parsed answer."""


def rules(prompt: str, tokens: int, note: str) -> ProtocolRules:
    """The script's counting, for one way to ask."""
    return ProtocolRules(SOURCE, prompt, named, tokens, headline="chair_i", note=note)


RULES: Mapping[str, ProtocolRules] = {
    "official": rules(
        "Please describe this image in detail.",
        512,
        "asked as papers on language models do; singulars as pattern.en makes them, sentences by their marks. "
        "lmms-eval takes WordNet's lemmas instead, and is no protocol here",
    ),
    "one_sentence": rules(protocols.ONE_SENTENCE, 64, "one sentence, as the captions of the paper are"),
}


def synonyms(path: Path) -> dict[str, str]:
    """Words by object: a line is an object and its other names. Of a word that is there twice the last line counts."""
    lines = [line.strip().split(AND) for line in read_text(path).split("\n") if line.strip()]
    found = {word: names[0] for names in lines for word in names}
    if not found:
        raise DataError("the list is empty", where=str(path), hint="get the file again")
    return found


def annotated(path: Path, known: Mapping[str, str]) -> dict[str, set[str]]:
    """The objects that COCO's annotators outlined, by image."""
    _, rows = rows_of_list(path, "annotations")
    images = by_key(rows_of_list(path, "images")[1], "id")
    names: dict[str, str] = {}
    for key, row in by_key(rows_of_list(path, "categories")[1], "id").items():
        if (name := row.text("name")) not in known:
            raise row.error("name", f"synonyms.txt has no object {name!r:.40}", "get both files again")
        names[key] = known[name]
    found: dict[str, set[str]] = {key: set() for key in images}
    for row in rows:
        key, category = row.key("image_id"), row.key("category_id")
        if key not in found or category not in names:
            raise row.error("image_id", f"no image {key!r:.40}, or no category {category!r:.40}, in this file")
        found[key].add(names[category])
    return found


def required_files(split: str) -> list[DataFile]:
    """Captions and images as of COCO's captions; instances and synonyms."""
    return [*COCO.required_files(split), INSTANCES, SYNONYMS]


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """The images; targets are their objects."""
    if isinstance(data, Hub):
        raise DataError(f"{task} has no copy on the hub", hint=f"`vlmbench data status {task}`, then --data DIR")
    hint = f"`vlmbench data fetch {task}` gets it"
    known = synonyms(data.need("the list of synonyms", SYNONYMS.path, *SYNONYMS.also, hint=hint))
    outlined = annotated(data.need("COCO's instances", INSTANCES.path, *INSTANCES.also, hint=hint), known)
    found = []
    for sample in COCO.files.samples(data, split, task):
        if sample.id not in outlined:
            what = f"COCO's instances have no image {sample.id}"
            raise DataError(what, where=str(data.root), hint="use the instances of the images' own year and split")
        said = {thing for text in sample.target for _, thing in named(text, known)}
        there, extra = AND.join(sorted(outlined[sample.id] | said)), {"synonyms": known}
        image = sample.images[0]
        found.append(Sample(sample.id, sample.question, (image,), there, cluster=image.name, extra=extra))
    return found


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """CHAIRi and CHAIRs of all descriptions, and recall."""
    import numpy as np

    items = np.array([counts(sample, score.parsed_answer) for sample, score in scored], dtype=np.float64)
    clusters = [sample.cluster for sample, _ in scored]
    return [
        Metric("chair_i", items, clusters, ratio(0, 1), limits=RATE, better=LESS),
        Metric("chair_s", items, clusters, ratio(2, 3), limits=RATE, better=LESS),
        Metric("recall", items, clusters, ratio(4, 5), limits=RATE, better=MORE, guard=True),
    ]


def counts(sample: Sample, parsed: str) -> list[float]:
    """Objects that are not there, and all named; whether there is one, and 1; objects named, and all there."""
    things, there = _split(parsed), frozenset(_split(sample.target))
    wrong = sum(thing not in there for thing in things)
    return [wrong, len(things), wrong > 0, 1, len(there & {*things}), len(there)]


def _split(things: str) -> list[str]:
    return things.split(AND) if things else []


class Chair(Benchmark[ProtocolRules]):
    """Descriptions of which the objects are counted. One in which all are there is right."""

    def parse(self, sample: Sample, response: Response, rules: ProtocolRules) -> str:
        """The objects, in their order and as often as they are named."""
        return AND.join(thing for _, thing in rules.reader(response.text, sample.extra["synonyms"]))

    def rate(self, sample: Sample, response: Response, rules: ProtocolRules) -> Score:
        """1 where nothing is named that is not there."""
        parsed = self.parse(sample, response, rules)
        return Score(float(not counts(sample, parsed)[0]), parsed_answer=parsed)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """A description that names all objects."""
        return f"There is {sample.target}." if sample.target else ""

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """The scores of a description of what is not there, and of one of all that is."""
        there = _split(sample.target)
        absent = next((thing for thing in sample.extra["synonyms"].values() if thing not in there), "nothing")
        return Score(0.0, parsed_answer=absent), Score(1.0, parsed_answer=sample.target)


CHAIR = Chair(
    name="chair",
    title="CHAIR: objects in descriptions of COCO images that are not there (Rohrbach et al. 2018)",
    about=__doc__,
    sizes={"karpathy_test": Size(5_000, 5_000), "val2014": Size(40_504, 40_504)},
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=protocols.results(),
    figures=figures,
)
