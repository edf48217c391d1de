"""Captions of images, compared with those that people wrote: CIDEr, BLEU-1 to 4, ROUGE-L (vlmbench.scoring.captions).

METEOR and SPICE are left out: their official codes are Java programs with tables of paraphrases, synonyms and grammar
that no exact port exists of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base.samples import Generation, Response, Sample, Score
from vlmbench.data.answers.predictions import (
    answer_key,
    answer_text,
    find_column,
    id_and_answer,
    join,
    read_files,
    write_rows,
)
from vlmbench.data.files import Row
from vlmbench.families.answer_files import Answer, AnswerFiles, Format
from vlmbench.families.base import Benchmark, ProtocolRules, Scored
from vlmbench.families.short_answer import number
from vlmbench.scoring.captions.overlap import Overlap, bleu, rouge
from vlmbench.scoring.captions.tokenizer import SEPARATORS, tokenize_lines
from vlmbench.stats.metrics import MORE, RATE, Metric, mean, ratio

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats
ONE_SENTENCE = "Provide a one-sentence caption for the provided image."
NGRAMS = (1, 2, 3, 4)
FEW = 500
"""Images, below which a set's CIDEr says little about that of a larger one."""


def one_line(text: str) -> str:
    """A caption without separators of lines, which the official code takes for the ends of captions."""
    return SEPARATORS.sub(" ", text)


def tokens(captions: Sequence[str]) -> list[str]:
    """Captions as the official code compares them: their tokens, with spaces between them."""
    return [" ".join(found) for found in tokenize_lines(captions)]


@dataclass(frozen=True)
class CaptionRules(ProtocolRules):
    """One protocol. `reader` makes the caption of an answer's text."""

    reader: Callable[[str], str] = one_line
    compared: Callable[[Sequence[str]], list[str]] = tokens
    """All captions, or all references, in their order, as they are compared."""
    headline: str = "cider"
    least_tokens: int = 0
    """New tokens at least."""

    @property
    def generation(self) -> Generation:
        """How captions are generated."""
        return Generation(max_new_tokens=self.tokens, min_new_tokens=self.least_tokens, num_beams=self.beams)


@dataclass(frozen=True, eq=False, kw_only=True)
class Captions(Benchmark[CaptionRules]):
    """A benchmark whose targets are lists of captions."""

    def parse(self, sample: Sample, response: Response, rules: CaptionRules) -> str:
        """The caption."""
        return rules.reader(response.text)

    def rate(self, sample: Sample, response: Response, rules: CaptionRules) -> Score:
        """ROUGE-L: the one of the figures that a caption has by itself."""
        caption = self.parse(sample, response, rules)
        return Score(rouge(rules.compared([caption])[0], rules.compared(sample.target)), parsed_answer=caption)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The first reference."""
        first: str = sample.target[0]
        return first

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """The scores of no caption, and of the first reference."""
        return Score(0.0), Score(1.0, parsed_answer=sample.target[0] if sample.target else "")

    def figures_of(self, scored: Scored, rules: CaptionRules) -> Sequence[Metric]:
        """All figures, and CIDEr by the values of tags: of each part as a set by itself, and its part of the whole."""
        overlap = overlap_of(scored, rules)
        cider = overlap.cider()
        found = [_cider("cider", scored, cider.tolist()), *_others(scored, overlap)]
        for tag in self.breakdowns:
            labels = dict.fromkeys(sample.tags[tag] for sample, _ in scored if tag in sample.tags)
            for label in sorted(labels):
                rows = [row for row, (sample, _) in enumerate(scored) if sample.tags.get(tag) == label]
                part = [scored[row] for row in rows]
                alone = overlap.part(rows).cider().tolist()
                found.append(_cider(f"{tag}_{label}", part, alone, tag, label))
                whole = [float(cider[row]) for row in rows]
                found.append(_cider(f"{tag}_{label}_in_the_whole", part, whole, f"{tag} (in the whole)", label))
        return found


def overlap_of(scored: Scored, rules: CaptionRules) -> Overlap:
    """What captions and references of a set of samples have in common."""
    references = iter(rules.compared([text for sample, _ in scored for text in sample.target]))
    captions = rules.compared([score.parsed_answer for _, score in scored])
    return Overlap(captions, [list(islice(references, len(sample.target))) for sample, _ in scored])


def _cider(name: str, scored: Scored, values: Sequence[float], breakdown: str = "", label: str = "") -> Metric:
    """The mean of what each image adds. The words' weights are those of this set, in resampled sets too.

    It has no limits: 1,000 is out of every caption's reach, and says nothing about how far the mean may move.
    """
    import numpy as np

    items = np.stack([np.asarray(values, dtype=np.float64), np.ones(len(values))], axis=1)
    note = f"the words' weights are those of {len(scored)} images: other sets have other ones"
    return Metric(
        name,
        items,
        [sample.cluster for sample, _ in scored],
        ratio(),
        breakdown,
        label,
        note=note if len(scored) < FEW and not breakdown else "",
        better=MORE,
    )


def _others(scored: Scored, overlap: Overlap) -> Iterator[Metric]:
    clusters = [sample.cluster for sample, _ in scored]
    sums = overlap.bleu_sums()
    for longest in NGRAMS:
        combine = partial(_bleu, longest=longest)
        yield Metric(f"bleu_{longest}", sums, clusters, combine, limits=RATE, better=MORE)
    yield mean("rouge_l", overlap.rouge(), clusters)


def _bleu(sums: Floats, longest: int) -> Floats:
    value: Floats = 100 * bleu(sums, longest)
    return value


# ----------------------------------------------------------------------------------------------------------- protocols

_PYCOCO = "pycocoevalcap 1.2: PTBTokenizer, Cider, Bleu(4), Rouge"
_NO_METEOR = "no METEOR and no SPICE: they are Java programs, of which no exact port exists"


def official(source: str, note: str = "") -> CaptionRules:
    """The scorers of the COCO Caption Challenge, whose words for the question are nobody's: lmms-eval's are taken."""
    own = "the authors ask nothing: the words are lmms-eval's; an answer's own score is its ROUGE-L"
    note = f"{own}; {_NO_METEOR}{note and '; '}{note}"
    return CaptionRules(f"{source}; {_PYCOCO}", ONE_SENTENCE, tokens=64, note=note)


def lmms_eval(config: str, prompt: str = ONE_SENTENCE, note: str = "") -> CaptionRules:
    """lmms-eval, which calls pycocoevalcap."""
    source = f"EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/{config}@75571cfe; {_PYCOCO}"
    return CaptionRules(
        source, prompt, tokens=64, note=f"{note}{note and '; '}prints shares, here in percent; without its METEOR"
    )


def internvl() -> CaptionRules:
    """InternVL, which calls pycocoevalcap."""
    source = f"OpenGVLab/InternVL internvl_chat/eval/caption/evaluate_caption.py@2410d1db; {_PYCOCO}"
    return CaptionRules(source, ONE_SENTENCE, tokens=30, least_tokens=8, note="8 to 30 tokens; without its METEOR")


def minigpt_v2() -> CaptionRules:
    """MiniGPT-v2, whose code asks for captions and publishes no figures."""
    return CaptionRules(
        f"Vision-CAIR/MiniGPT-4 minigpt4/datasets/datasets/coco_caption.py, EvalCaptionData@07066f3b; {_PYCOCO}",
        "[caption] please describe this image?",
        tokens=64,
        note=f"no script of the repository measures the captions; {_NO_METEOR}",
    )


def vlmevalkit() -> CaptionRules:
    """VLMEvalKit, which leaves the tokenizer out."""
    prompt = (
        "Please describe this image in general. Directly provide the description, "
        'do not include prefix like "This image depicts". '
    )
    return CaptionRules(
        "open-compass/VLMEvalKit vlmeval/dataset/image_caption.py@e8e78f05; pycocoevalcap 1.2: Cider, Bleu(4), Rouge",
        prompt,
        reader=str,
        compared=list,
        tokens=2048,
        note="texts are compared as they stand, without the tokenizer: `Dog.` is not `dog`, so that figures are lower",
    )


# ------------------------------------------------------------------------------------------------------- answer files

IDS = ("image_id", "question_id", "id", "index", "img_id")


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    """Official results, whose column `caption` is the model's; or rows of id and answer."""
    return join([found for rows in read_files(path) for found in _answers(rows, samples)], samples, path)


def _answers(rows: Sequence[Row], samples: Sequence[Sample]) -> Iterator[tuple[str, str, Row]]:
    key = find_column(rows, *IDS)
    if not key or any(set(row.values) != {key, "caption"} for row in rows):
        yield from id_and_answer(rows, IDS, samples)
        return
    for row in rows:
        yield answer_key(row, key), answer_text(row, "caption"), row


@dataclass(frozen=True)
class _Write:
    numbers: bool

    def __call__(self, path: Path, answers: Sequence[Answer]) -> None:
        keys = [number(answer.id) if self.numbers else answer.id for answer in answers]
        rows = zip(keys, answers, strict=True)
        write_rows(path, [{"image_id": key, "caption": one_line(answer.text)} for key, answer in rows])


def results(*, numbers: bool = True) -> AnswerFiles:
    """The results that the challenges' servers and the official scripts take. `numbers`: whether ids are numbers."""
    return AnswerFiles(
        _read,
        'The official results [{"image_id", "caption"}], or rows of id and text.',
        {"results": Format(".json", _Write(numbers))},
        'The official results, a JSON array of {"image_id", "caption"}; a caption is one line.',
    )
