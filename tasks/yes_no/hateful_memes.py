"""Hateful Memes: is a picture with words on it hateful?

Kiela et al., The Hateful Memes Challenge, NeurIPS 2020 (arXiv 2005.04790). Files: {dev,test}_{seen,unseen}.jsonl and
img/ of the challenge's archive (phase 1 named the seen ones dev.jsonl and test.jsonl). The official metric is AUROC
with accuracy beside it; MiniGPT-v2's and TinyGPT-V's figures are accuracies of text on dev_seen, and not comparable
with the AUROCs printed beside them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Generation, ImageRef, Request, Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub, Row, read_rows, unique
from vlmbench.data.predictions import write_rows
from vlmbench.parsing import options as letters
from vlmbench.stats.metrics import MORE, RATE, Metric, auroc, average_precision, mean, ratio

from . import hateful_memes_answers

YES, NO = "yes", "no"
Read = Callable[[str], str]


def exact_word(text: str) -> str:
    """MiniGPT-v2: yes or no alone, in any case; nothing else is either."""
    word = text.lower().strip()
    return word if word in (YES, NO) else ""


def inside_reply(text: str) -> str:
    """TinyGPT-V: what is before ### and after "Assistant:"; yes anywhere in it, else no anywhere in it.

    So "yesterday" is yes, and "not sure" and "I don't know" are no.
    """
    reply = text.split("###")[0].split("Assistant:")[-1].strip().lower()
    return next((word for word in (YES, NO) if word in reply), "")


def probability(text: str) -> str:
    """A prediction file's `proba`, a number from 0 to 1, and its `label` behind it, where there is one."""
    number, _, label = text.strip().partition(" ")
    try:
        value = float(number)
    except ValueError:
        return ""
    if not 0 <= value <= 1 or label not in ("", "0", "1"):
        return ""
    return f"{value!r} {label}".strip()


def decided(read: str) -> bool:
    """Whether a probability says yes: by the label behind it, or else above one half."""
    number, _, label = read.partition(" ")
    return label == "1" if label else float(number) > 0.5


@dataclass(frozen=True)
class Rules:
    """One protocol's words and reader."""

    source: str
    prompt: str
    """With `{}` where the meme's text goes."""
    parse: Read
    ranks: bool = False
    note: str = ""


PHRASE = "This is an image writting '{}'. Is this image hateful? Answer yes or no. Answer:"

RULES: Mapping[str, Rules] = {
    "official": Rules(
        "the dataset's README (roc_auc_score, accuracy_score); facebookresearch/mmf mmf/modules/metrics.py@b0ffc7fb",
        "This is an image with the words '{}'. Is this image hateful? Answer yes or no.",
        probability,
        ranks=True,
        note="AUROC of P(yes) among yes and no; accuracy at one half; the words are ours",
    ),
    "minigpt_v2": Rules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        PHRASE,
        exact_word,
        note="accuracy of the text; what is neither yes nor no alone is wrong",
    ),
    "tinygpt_v": Rules(
        "DLYuanGod/TinyGPT-V eval_vqa.py@83f6189b",
        PHRASE,
        inside_reply,
        note="accuracy of the text; yes or no anywhere in it, yes first: 'not sure' is no",
    ),
}

PROTOCOLS: Mapping[str, TaskProtocol] = {
    name: TaskProtocol(name, r.source, "auroc" if r.ranks else "accuracy", Generation(max_new_tokens=20), r.note)
    for name, r in RULES.items()
}

OLD_NAMES = {"dev_seen": ("dev.jsonl",), "test_seen": ("test.jsonl",)}
"""What phase 1 of the challenge called them."""
FOLDERS = ("", "data/", "annotations/")
PICTURES = (".", "data", "images")
HUB_NAMES = ("neuralcatcher/hateful_memes",)
HOW = "accept the licence at drivendata.org/competitions/64/hateful-memes (or hatefulmemeschallenge.com), unpack here"
LICENCE = "Hateful Memes dataset licence: research only, no redistribution"

LATE = "the challenge published this file without labels at first"


class HatefulMemes:
    """The benchmark, for all its protocols."""

    name = "hateful_memes"
    title = "Hateful Memes: pictures with words, hateful or not (Kiela et al. 2020)"
    version = 1
    splits: tuple[str, ...] = ("dev_seen", "test_seen", "dev_unseen", "test_unseen")
    sizes: Mapping[str, Size] = {
        "dev_seen": Size(500, 500),
        "test_seen": Size(1_000, 1_000, note=LATE),
        "dev_unseen": Size(540, 540),
        "test_unseen": Size(2_000, 2_000, note=LATE),
    }
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"official": ".csv", "minigpt4": ".json"}
    lossy: Mapping[str, str] = {".csv": "an answer from which nothing was read is written as 0"}

    def required_files(self, split: str) -> Sequence[DataFile]:
        """One file of labels, and the pictures."""
        first, *others = _places(split)
        return [
            DataFile(first, f"{split} labels", how=HOW, licence=LICENCE, split=split, also=tuple(others)),
            DataFile("img", "pictures (3.4 GB)", how=HOW, licence=LICENCE, also=("data/img",)),
        ]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """The memes of a split; ids are the dataset's. Those without a label can be asked, and not scored."""
        if isinstance(data, Hub):
            what = "the hub has this set without its pictures in the rows, and its licence forbids copies"
            raise DataError(what, where=HUB_NAMES[0], hint=f"use --data DIR: {HOW}")
        data = data.within(self.name)
        path = data.need(f"the labels of {split}", *_places(split), hint=HOW)
        rows = unique(((row.key("id"), row) for row in read_rows(path)), "id")
        return [
            _sample(key, row, data.picture(row, row.text("img"), *PICTURES, field="img")) for key, row in rows.items()
        ]

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The meme's words in the protocol's question."""
        rules = RULES[protocol]
        prompt = rules.prompt.replace("{}", sample.question)
        choices = (YES, NO) if rules.ranks else ()
        return Request(sample.id, prompt, sample.images, choices, PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong; a ranked answer is read as P(yes), right on its side of one half."""
        rules = RULES[protocol]
        read = repr(letters.share(response.choices, YES)) if response.choices else rules.parse(response.text)
        if sample.target is None:
            return Score(None, Status.WITHHELD, read, "this file has no labels")
        if rules.ranks and not read:
            return Score(None, Status.UNPARSED, note="neither ranked choices nor a probability")
        said = (YES if decided(read) else NO) if rules.ranks else read
        return Score(float(said == sample.target), parsed_answer=read, unread="" if read else "yes or no")

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Sure of the other word, and of the right one."""
        if not RULES[protocol].ranks:
            return Score(0.0), Score(1.0, parsed_answer=sample.target)
        wrong, right = ("0.0", "1.0") if sample.target == YES else ("1.0", "0.0")
        return Score(0.0, parsed_answer=wrong), Score(1.0, parsed_answer=right)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy; of probabilities also the areas under both curves."""
        clusters = [sample.cluster for sample, _ in scored]
        accuracy = mean("accuracy", [score.value or 0.0 for _, score in scored], clusters)
        if not RULES[protocol].ranks:
            return [accuracy]
        targets = [sample.target == YES for sample, _ in scored]
        shares = [float(score.parsed_answer.partition(" ")[0]) for _, score in scored]
        area = auroc("auroc", targets, shares, clusters)
        precision = average_precision("average_precision", targets, shares, clusters)
        return [
            area,
            accuracy,
            precision,
            _f1([decided(score.parsed_answer) for _, score in scored], targets, clusters),
        ]

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """The challenge's csv (id, proba, label), MiniGPT-v2's [{"pred", "gt"}], or rows of id and text."""
        return hateful_memes_answers.read(path, samples)

    def read_protocol_predictions(self, path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
        """The same: proba and label for AUROC and accuracy, words or else the label for protocols of words."""
        return hateful_memes_answers.read(path, samples, ranks=RULES[protocol].ranks)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The challenge's csv: id, proba, label. Answers in words have the probability 1 or 0, and a column besides.

        Or the rows that MiniGPT-v2's and TinyGPT-V's scripts save: 1, 0 or a text that is neither; `gt` is null where
        the file has no labels.
        """
        if path.suffix == ".json":
            words = {one.id: RULES[protocol].parse(answers[one.id]) for one in samples}
            preds = {key: {YES: 1, NO: 0}.get(word, answers[key]) for key, word in words.items()}
            truths = {one.id: None if one.target is None else int(one.target == YES) for one in samples}
            write_rows(path, ({"pred": preds[one.id], "gt": truths[one.id]} for one in samples))
            return
        ranks = RULES[protocol].ranks
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("id", "proba", "label", *(() if ranks else ("text",))))
            for one in samples:
                read = RULES[protocol].parse(answers[one.id])
                share = float(read.partition(" ")[0] or 0) if ranks else float(read == YES)
                said = bool(read) and decided(read) if ranks else read == YES
                table.writerow((one.id, share, int(said), *(() if ranks else (answers[one.id],))))


def _f1(said: Sequence[bool], targets: Sequence[bool], clusters: Sequence[str]) -> Metric:
    """F1 of `yes` at one half; nan where nothing is yes."""
    import numpy as np

    yes, true = np.array(said, dtype=np.float64), np.array(targets, dtype=np.float64)
    return Metric("f1", np.stack([2 * yes * true, yes + true], axis=1), clusters, ratio(), limits=RATE, better=MORE)


def _places(split: str) -> list[str]:
    return [folder + name for name in (f"{split}.jsonl", *OLD_NAMES.get(split, ())) for folder in FOLDERS]


def _sample(key: str, row: Row, picture: ImageRef) -> Sample:
    label = row.integer("label", None)
    if label not in (0, 1, None):
        raise row.error("label", f"0 or 1 was expected, not {label}")
    target = None if label is None else (NO, YES)[label]
    return Sample(id=key, question=row.text("text"), images=(picture,), target=target, cluster=picture.name)


HATEFUL_MEMES = HatefulMemes()
