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

from vlmbench import letters
from vlmbench.errors import DataError, PredictionsError
from vlmbench.metrics import MORE, RATE, Metric, auroc, average_precision, mean, ratio
from vlmbench.nouns import Generation, Picture, Request, Response, Sample, Score, Size, Status, TaskProtocol, Wanted
from vlmbench.predictions import (
    answer_files,
    answer_key,
    answer_rows,
    answer_text,
    join,
    read_answer,
    write_rows,
)
from vlmbench.sources import Folder, Hub, Row, read_rows, read_table, unique

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
    """A prediction file's column `proba`: a number."""
    try:
        value = float(text)
    except ValueError:
        return ""
    return repr(value) if value == value else ""


@dataclass(frozen=True)
class Rules:
    """One protocol's words and reader."""

    source: str
    prompt: str
    """With `{}` where the meme's text goes."""
    read: Read
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

    def wanted(self, split: str) -> Sequence[Wanted]:
        """One file of labels, and the pictures."""
        first, *others = _places(split)
        return [
            Wanted(first, f"{split} labels", how=HOW, licence=LICENCE, split=split, also=tuple(others)),
            Wanted("img", "pictures (3.4 GB)", how=HOW, licence=LICENCE, also=("data/img",)),
        ]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """The memes of a split; ids are the dataset's. Those without a label can be asked, and not scored."""
        if isinstance(data, Hub):
            what = "the hub has this set without its pictures in the rows, and its licence forbids copies"
            raise DataError(what, where=HUB_NAMES[0], cure=f"use --data DIR: {HOW}")
        data = data.within(self.name)
        path = data.need(f"the labels of {split}", *_places(split), cure=HOW)
        rows = unique(((row.key("id"), row) for row in read_rows(path)), "id")
        return [
            _sample(key, row, data.picture(row, row.text("img"), *PICTURES, field="img")) for key, row in rows.items()
        ]

    def ask(self, sample: Sample, protocol: str) -> Request:
        """The meme's words in the protocol's question."""
        rules = RULES[protocol]
        prompt = rules.prompt.replace("{}", sample.question)
        choices = (YES, NO) if rules.ranks else ()
        return Request(sample.id, prompt, sample.images, choices, PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong; a ranked answer is read as P(yes), right on its side of one half."""
        rules = RULES[protocol]
        read = repr(letters.share(response.choices, YES)) if response.choices else rules.read(response.text)
        if sample.target is None:
            return Score(None, Status.WITHHELD, read, "this file has no labels")
        if rules.ranks and not read:
            return Score(None, Status.UNPARSED, note="neither ranked choices nor a probability")
        said = (YES if float(read) > 0.5 else NO) if rules.ranks else read
        return Score(float(said == sample.target), read=read, unread="" if read else "yes or no")

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Sure of the other word, and of the right one."""
        if not RULES[protocol].ranks:
            return Score(0.0), Score(1.0, read=sample.target)
        wrong, right = ("0.0", "1.0") if sample.target == YES else ("1.0", "0.0")
        return Score(0.0, read=wrong), Score(1.0, read=right)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy; of probabilities also the areas under both curves."""
        clusters = [sample.cluster for sample, _ in scored]
        accuracy = mean("accuracy", [score.value or 0.0 for _, score in scored], clusters)
        if not RULES[protocol].ranks:
            return [accuracy]
        targets = [sample.target == YES for sample, _ in scored]
        shares = [float(score.read) for _, score in scored]
        area = auroc("auroc", targets, shares, clusters)
        precision = average_precision("average_precision", targets, shares, clusters)
        return [area, accuracy, precision, _f1([share > 0.5 for share in shares], targets, clusters)]

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """The challenge's csv (id, proba, label: proba is read), MiniGPT-v2's [{"pred", "gt"}], or id and text."""
        if path.suffix == ".csv":
            return join(_submitted(path), samples, path)
        rows = [row for file in answer_files(path) for row in answer_rows(file)]
        if rows and all("pred" in row.values and "gt" in row.values for row in rows):
            return _in_order(path, rows, samples)
        forms = (("id", "text"), ("id", "proba"))
        return join(((*_answer(row, forms), row) for row in rows), samples, path)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The challenge's csv: id, proba, label. Answers in words have the probability 1 or 0, and a column besides.

        Or the rows that MiniGPT-v2's and TinyGPT-V's scripts save: 1, 0 or a text that is neither; `gt` is null where
        the file has no labels.
        """
        if path.suffix == ".json":
            words = {one.id: RULES[protocol].read(answers[one.id]) for one in samples}
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
                read = RULES[protocol].read(answers[one.id])
                share = float(read or 0) if ranks else float(read == YES)
                table.writerow((one.id, share, int(share > 0.5), *(() if ranks else (answers[one.id],))))


def _f1(said: Sequence[bool], targets: Sequence[bool], clusters: Sequence[str]) -> Metric:
    """F1 of `yes` at one half; nan where nothing is yes."""
    import numpy as np

    yes, true = np.array(said, dtype=np.float64), np.array(targets, dtype=np.float64)
    return Metric("f1", np.stack([2 * yes * true, yes + true], axis=1), clusters, ratio(), limits=RATE, better=MORE)


def _places(split: str) -> list[str]:
    return [folder + name for name in (f"{split}.jsonl", *OLD_NAMES.get(split, ())) for folder in FOLDERS]


def _sample(key: str, row: Row, picture: Picture) -> Sample:
    label = row.integer("label", None)
    if label not in (0, 1, None):
        raise row.error("label", f"0 or 1 was expected, not {label}")
    target = None if label is None else (NO, YES)[label]
    return Sample(id=key, question=row.text("text"), images=(picture,), target=target, cluster=picture.name)


def _submitted(path: Path) -> list[tuple[str, str, Row]]:
    try:
        rows = read_table(path)
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, cure=error.cure) from None
    for row in rows:
        if "proba" in row.values and not probability(answer_text(row, "proba")):
            raise PredictionsError("proba is no number", where=row.where, cure="needed: id,proba,label")
    return [(*read_answer(row, ("id", "text"), ("id", "proba")), row) for row in rows]


def _answer(row: Row, forms: Sequence[tuple[str, str]]) -> tuple[str, str]:
    if isinstance(value := row.values.get("proba"), int | float) and "text" not in row.values:
        return answer_key(row, "id"), repr(float(value))
    return read_answer(row, *forms)


def _in_order(path: Path, rows: Sequence[Row], samples: Sequence[Sample]) -> dict[str, str]:
    """MiniGPT-v2's and TinyGPT-V's rows, which have no ids: 1, 0 or the text that was neither, in the file's order."""
    if len(rows) != len(samples):
        what = f"{len(rows)} answers, and {len(samples)} memes"
        raise PredictionsError(what, where=str(path), cure="give one answer a meme, in the file's order")
    texts = {}
    for row, one in zip(rows, samples, strict=True):
        if one.target is not None and row.integer("gt") != int(one.target == YES):
            what = f"the row says that the label is {row.values['gt']}, meme {one.id} is {one.target}"
            raise PredictionsError(what, where=row.where, cure="use the split these answers were made with")
        pred = row.values["pred"]
        texts[one.id] = {0: NO, 1: YES}.get(pred, "") if isinstance(pred, int) else answer_text(row, "pred")
    return texts


HATEFUL_MEMES = HatefulMemes()
