"""Hateful Memes: is an image with words on it hateful?

Kiela et al., The Hateful Memes Challenge, NeurIPS 2020 (arXiv 2005.04790). Files: {dev,test}_{seen,unseen}.jsonl and
img/ of the challenge's archive (phase 1 named the seen ones dev.jsonl and test.jsonl). The official metric is AUROC
with accuracy beside it; MiniGPT-v2's and TinyGPT-V's figures are accuracies of text on dev_seen, and not comparable
with the AUROCs printed beside them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import ChoiceScore, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.answer_columns import holds_questions, is_predicted, probability, refuse_no_probability
from vlmbench.data.answers.predictions import (
    answer_key,
    as_predictions_error,
    find_column,
    id_and_answer,
    join,
    read_files,
)
from vlmbench.data.answers.unnumbered_answers import are_pred_gt
from vlmbench.data.files import Folder, Hub, read_rows
from vlmbench.data.official.files import by_key, data_file, places
from vlmbench.data.rows import Row
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, IdTextRow
from vlmbench.families.base import OwnFiles, Scored, accuracies
from vlmbench.families.yes_no import PredGtRows, YesNo, YesNoRules, areas, word_of_digit
from vlmbench.parsing import options, yes_no
from vlmbench.parsing.yes_no import YES_NO, decided_yes_no
from vlmbench.stats.figures.binary import f1_of_yes
from vlmbench.stats.metrics import Metric


def _chance(choices: Sequence[ChoiceScore]) -> str:
    """P(yes), as a score keeps it."""
    return repr(options.share(choices, "yes"))


def _official_figures(scored: Scored) -> Sequence[Metric]:
    """The areas under both curves of P(yes); accuracy and F1 of `yes` at one half (nan where nothing is yes)."""
    clusters = [sample.cluster for sample, _ in scored]
    auroc, precision = areas(scored, "yes", [float(score.parsed_answer.partition(" ")[0]) for _, score in scored])
    said = [yes_no.decided_yes_no(score.parsed_answer) == "yes" for _, score in scored]
    true = [sample.target == "yes" for sample, _ in scored]
    return [auroc, *accuracies(scored), precision, f1_of_yes(said, true, clusters)]


_PHRASE = "This is an image writting '{question}'. Is this image hateful? Answer yes or no. Answer:"

RULES: Mapping[str, YesNoRules] = {
    "official": YesNoRules(
        "the dataset's README (roc_auc_score, accuracy_score); facebookresearch/mmf mmf/modules/metrics.py@b0ffc7fb",
        "This is an image with the words '{question}'. Is this image hateful? Answer yes or no.",
        yes_no.chance_of_yes,
        20,
        choices=("yes", "no"),
        ranked=_chance,
        credit=lambda parsed, word: float(yes_no.decided_yes_no(parsed) == word),
        unparsed="neither ranked choices nor a probability",
        headline="auroc",
        figures=_official_figures,
        note="AUROC of P(yes) among yes and no; accuracy at one half; the words are ours",
    ),
    "minigpt_v2": YesNoRules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        _PHRASE,
        yes_no.exact_yes_no,
        20,
        note="accuracy of the text; what is neither yes nor no alone is wrong",
    ),
    "tinygpt_v": YesNoRules(
        "DLYuanGod/TinyGPT-V eval_vqa.py@83f6189b",
        _PHRASE,
        yes_no.inside_reply_yes_no,
        20,
        note="accuracy of the text; yes or no anywhere in it, yes first: 'not sure' is no",
    ),
}
_LATE = "the challenge published this file without labels at first"


OLD_NAMES = {"dev_seen": ("dev.jsonl",), "test_seen": ("test.jsonl",)}
"""What phase 1 of the challenge called them."""
HOW = "accept the licence at drivendata.org/competitions/64/hateful-memes (or hatefulmemeschallenge.com), unpack here"
LICENCE = "Hateful Memes dataset licence: research only, no redistribution"
RANKED = "official"
"""The protocol that reads probabilities; the others read words."""


def _places(split: str) -> list[str]:
    return places((f"{split}.jsonl", *OLD_NAMES.get(split, ())), "data/", "annotations/")


def required_files(split: str) -> list[DataFile]:
    """One file of labels, and the images."""
    return [
        data_file(_places(split), f"{split} labels", licence=LICENCE, split=split, how=HOW),
        data_file(("img", "data/img"), "images (3.4 GB)", licence=LICENCE, how=HOW),
    ]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """The memes of a split; ids are the dataset's. Those without a label can be asked, and not scored."""
    if isinstance(data, Hub):
        what = "the hub has this set without its images in the rows, and its licence forbids copies"
        raise DataError(what, where="neuralcatcher/hateful_memes", hint=f"use --data DIR: {HOW}")
    rows = by_key(read_rows(data.need(f"the labels of {split}", *_places(split), hint=HOW)), "id")
    return [_sample(key, row, data) for key, row in rows.items()]


def _sample(key: str, row: Row, data: Folder) -> Sample:
    image = data.image(row, row.text("img"), ".", "data", "images", field="img")
    target = word_of_digit(row, "label") if row.has("label") else None
    return Sample(key, row.text("text"), (image,), target, cluster=image.name)


# --------------------------------------------------------------------------------------------------------- answers

NEEDED = "needed: id, proba and label; or id with 'prediction' or 'text'"
PRED_GT = PredGtRows("meme", YES_NO)


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    files = read_files(path)
    rows = [row for rows in files for row in rows]
    if are_pred_gt(rows):
        return PRED_GT.read(path, rows, samples)
    return join([answer for rows in files for answer in _answers(rows, samples, protocol)], samples, path)


def _answers(rows: Sequence[Row], samples: Sequence[Sample], protocol: str) -> Iterator[IdTextRow]:
    """Of the challenge's csv, `proba` (for the AUROC) and `label`, the model's decision; or of rows of id and text.

    In rows of the dataset that a `proba` was added to, `label` is the truth and `text` the words on the image: neither
    is read.
    """
    chance, words = find_column(rows, "proba"), find_column(rows, "text")
    dataset = bool(find_column(rows, "img")) or (words and holds_questions(rows, words, samples))
    has_words = (words and not dataset) or any(is_predicted(name) for row in rows for name in row.values)
    if not chance or (has_words and protocol != RANKED):
        for key, text, row in id_and_answer(rows, ("id",), samples, numbers=protocol in ("", RANKED)):
            if protocol == RANKED:
                refuse_no_probability(text, row)
            yield key, text, row
        return
    label = "" if dataset else find_column(rows, "label")
    if protocol not in ("", RANKED) and not label:
        what = "the rows hold probabilities, and this protocol reads words"
        raise PredictionsError(what, where=rows[0].where, hint="score them with hateful_memes@official")
    for row in rows:
        if absent := [name for name in ("id", chance, label) if name and name not in row.values]:
            raise PredictionsError(f"the row has no {absent[0]!r}", where=row.where, hint=NEEDED)
        share, decision = probability(row, chance), _yes_no(row, label) if label else ""
        digit = {"yes": " 1", "no": " 0"}.get(decision, "")
        yield answer_key(row, "id"), f"{share!r}{digit}" if protocol in ("", RANKED) else decision, row


def _yes_no(row: Row, field: str) -> str:
    with as_predictions_error(NEEDED):
        return word_of_digit(row, field)


def _write_csv(path: Path, answers: Sequence[Answer]) -> None:
    """Answers in words have the probability 1 or 0, and a column for the words."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        ranked = all(answer.protocol == RANKED for answer in answers)
        table.writerow(("id", "proba", "label", *(() if ranked else ("text",))))
        for answer in answers:
            said = decided_yes_no(answer.parsed) if ranked and answer.parsed else answer.parsed
            chance = float(answer.parsed.partition(" ")[0] or 0) if ranked else float(said == "yes")
            table.writerow((answer.id, chance, int(said == "yes"), *(() if ranked else (answer.text,))))


ANSWERS = AnswerFiles(
    _read,
    'The challenge\'s csv (id, proba, label), MiniGPT-v2\'s [{"pred", "gt"}], or rows of id and text.',
    {
        "official": Format(".csv", _write_csv, "an answer from which nothing was read is written as 0"),
        "minigpt4": Format(".json", PRED_GT.write),
    },
    "The challenge's csv: id, proba, label. Answers in words have the probability 1 or 0, and a column besides.",
)


HATEFUL_MEMES = YesNo(
    name="hateful_memes",
    title="Hateful Memes: images with words, hateful or not (Kiela et al. 2020)",
    about=__doc__,
    sizes={
        "dev_seen": Size(500, 500),
        "test_seen": Size(1_000, 1_000, note=_LATE),
        "dev_unseen": Size(540, 540),
        "test_unseen": Size(2_000, 2_000, note=_LATE),
    },
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=ANSWERS,
    withheld_note="this file has no labels",
)
