"""AMBER, generative part: descriptions of images, and the things in them that the images do not show.

Wang et al., AMBER: An LLM-free Multi-dimensional Benchmark for MLLMs Hallucination Evaluation (arXiv 2311.07397).
Files: data/query/query_generative.json, data/annotations.json, and the word lists data/relation.json and
data/safe_words.txt of junyangwang0410/AMBER@534babf6; images by its README. The script asks spaCy's en_core_web_lg
which words of the lists are alike. Here alike.json, beside the lists, has these pairs: `python -m
vlmbench.tasks.captions.amber_alike DATA` writes it where spaCy and that model are installed. AMBER's score, the mean
of F1 (amber_d) and of 100 - CHAIR (here `faithfulness`), is the average of the suite `amber`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub
from vlmbench.data.official import amber
from vlmbench.data.official.files import data_file
from vlmbench.families.base import Benchmark, OwnFiles, ProtocolRules, Scored
from vlmbench.stats.metrics import LESS, MORE, RATE, Metric, ratio

from .amber_lists import ALIKE, RELATION, SAFE, word_lists
from .amber_nouns import listed_nouns, nltk_or_why, tagged_nouns

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

RULES: Mapping[str, ProtocolRules] = {
    "word_list": ProtocolRules(
        "vlmbench: counted as junyangwang0410/AMBER inference.py@534babf6, nouns found without NLTK",
        "{question}",
        listed_nouns,
        512,
        headline="chair",
        note="every word of the lists counts, also in the plural, whatever part of speech it is: in 90 published "
        "answers of GPT-4 these are the 550 nouns that NLTK finds and 33 words more. Without alike.json only equal "
        "words are alike. Not comparable with published figures",
    ),
    "official": ProtocolRules(
        "junyangwang0410/AMBER inference.py@534babf6",
        "{question}",
        tagged_nouns,
        512,
        headline="chair",
        note="nouns by NLTK's tagger and WordNet (both must be installed), alike words by alike.json. Counts start at "
        "0.001. A noun with a capital is not counted: the lists have small letters",
    ),
}
AND = ", "
"""Between the nouns of a parsed answer."""
WRONG, NOUNS, COVERED, THINGS, IMAGINED, FORESEEN, CLEAN, ALL = range(8)


def counts(sample: Sample, parsed: str) -> list[float]:
    """What an answer adds to the eight sums."""
    nouns, known = parsed.split(AND) if parsed else [], sample.extra
    counted = [noun for noun in nouns if noun not in known["safe"]]
    wrong = sum(noun not in known["covers"] for noun in counted)
    covered = {known["covers"][noun] for noun in counted if noun in known["covers"]}
    imagined = {place for noun in counted for place in known["imagines"].get(noun, ())}
    return [wrong, len(nouns), len(covered), known["things"], len(imagined), known["foreseen"], wrong == 0, 1]


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """The script's four, over the words of all answers; and 100 - CHAIR, of which AMBER's score is made."""
    import numpy as np

    items = np.array([counts(sample, score.parsed_answer) for sample, score in scored], dtype=np.float64)
    clusters, share = [sample.cluster for sample, _ in scored], partial(ratio, start=amber.START)

    def rest(sums: Floats, top: int, bottom: int) -> Floats:
        return 100 - share(top, bottom)(sums)

    return [
        Metric("chair", items, clusters, share(WRONG, NOUNS), limits=RATE, better=LESS),
        Metric("cover", items, clusters, share(COVERED, THINGS), limits=RATE, better=MORE, guard=True),
        Metric("hal", items, clusters, partial(rest, top=CLEAN, bottom=ALL), limits=RATE, better=LESS),
        Metric("cog", items, clusters, share(IMAGINED, FORESEEN), limits=RATE, better=LESS),
        Metric("faithfulness", items, clusters, partial(rest, top=WRONG, bottom=NOUNS), limits=RATE, better=MORE),
    ]


QUERIES = "query_generative.json"
ALIKE_HOW = "`python -m vlmbench.tasks.captions.amber_alike DATA` writes it with spaCy's en_core_web_lg"


def required_files(split: str) -> list[DataFile]:
    """Queries, annotations, images and word lists."""
    return [
        *amber.required_files(QUERIES, "1,004 images to describe"),
        amber.fetched(RELATION, "words that count, and what each is named with"),
        amber.fetched(SAFE, "words that are never wrong"),
        data_file(ALIKE, "pairs of words that spaCy finds alike", how=ALIKE_HOW, optional=True),
    ]


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """The images to describe; the target is what they show."""
    hint = f"`vlmbench data fetch {task}` gets it"
    if isinstance(data, Hub):
        raise DataError("AMBER's generative part has no copy on the hub", hint=f"{hint}; then --data DIR")
    found, others = amber.annotated(data, QUERIES, hint)
    lists = word_lists(data, hint)
    return [
        Sample(
            key,
            query.text("query"),
            (image,),
            AND.join(note.texts("truth")),
            cluster=image.name,
            extra={**lists.extra(note), **others},
        )
        for key, query, note, image in found
    ]


class Described(Benchmark[ProtocolRules]):
    """Descriptions of which the nouns are counted. One without a hallucination is right."""

    def parse(self, sample: Sample, response: Response, rules: ProtocolRules) -> str:
        """The nouns that count; none where `lacking` says that they cannot be found."""
        nouns = [] if self.lacking(sample, rules) else rules.reader(response.text, frozenset(sample.extra["words"]))
        return AND.join(nouns)

    def rate(self, sample: Sample, response: Response, rules: ProtocolRules) -> Score:
        """1 where nothing is named that is not there; unparsed where that cannot be said."""
        if problem := self.lacking(sample, rules):
            return Score(None, Status.UNPARSED, note=problem)
        return self.rated(sample, self.parse(sample, response, rules))

    def lacking(self, sample: Sample, rules: ProtocolRules) -> str:
        """Why answers cannot be counted as the script does, and what to do."""
        if rules.reader is not tagged_nouns:
            return ""
        return nltk_or_why()[1] or ("" if sample.extra["alike"] else f"there is no alike.json: {ALIKE_HOW}")

    def rated(self, sample: Sample, parsed: str) -> Score:
        """The score of an answer by its nouns."""
        return Score(float(counts(sample, parsed)[CLEAN]), parsed_answer=parsed)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """What the image shows."""
        return str(sample.target)

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Every word that is a hallucination; and what the image shows."""
        known = sample.extra
        wrong = [word for word in known["words"] if word not in known["covers"] and word not in known["safe"]]
        return self.rated(sample, AND.join(wrong)), self.rated(sample, str(sample.target))


AMBER_G = Described(
    name="amber_g",
    title="AMBER, generative: hallucinations in descriptions of images (Wang et al. 2023)",
    about=__doc__,
    sizes={"test": Size(1_004, 1_004)},
    rules=RULES,
    files=OwnFiles(required_files, samples),
    figures=figures,
)
