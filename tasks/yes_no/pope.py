"""POPE: does the model see objects that are not there? Yes/no questions about COCO images, in three kinds of "no".

Li et al., Evaluating Object Hallucination in Large Vision-Language Models, EMNLP 2023 (arXiv 2305.10355).
Files: POPE output/coco/*.json and output/seem/{aokvqa,gqa}/*.json@3df3ba1b; the older random file (2,910 questions
instead of 3,000) of @e3e39262 is read just the same. Readers: vlmbench.parsing.yes_no; figures:
vlmbench.stats.figures.binary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers import question_files
from vlmbench.data.answers.answer_columns import answer_column, bare_question, refuse_numbers
from vlmbench.data.answers.predictions import (
    answer_key,
    answer_rows,
    answer_text,
    find_column,
    id_and_answer,
    join,
    read_files,
    write_rows,
)
from vlmbench.data.answers.unnumbered_answers import Unanswered, in_blocks
from vlmbench.data.files import Folder, Hub, Row, read_rows
from vlmbench.data.official.files import by_key, coco_images, data_file, hub_questions, mirrored
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, IdTextRow
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.short_answer import SHORT
from vlmbench.families.yes_no import YesNo, YesNoRules, yes_no_target
from vlmbench.parsing import yes_no
from vlmbench.stats.figures import binary
from vlmbench.stats.figures.binary import Counting
from vlmbench.stats.metrics import Metric

RULES: Mapping[str, YesNoRules] = {
    "official": YesNoRules(
        "RUCAIBox/POPE evaluate.py@3df3ba1b; bare question",
        "{question}",
        yes_no.first_sentence_yes_no,
        headline="mean_f1",
        note="whatever does not say no in its first sentence counts as yes",
    ),
    "llava": YesNoRules(
        "haotian-liu/LLaVA llava/eval/eval_pope.py@c121f043, docs/Evaluation.md",
        "{question}" + SHORT,
        yes_no.first_sentence_yes_no,
        headline="mean_f1",
        note="asks for a single word or phrase; the papers' POPE is the mean of the three splits' F1",
    ),
    "tinyllava": YesNoRules(
        "TinyLLaVA/TinyLLaVA_Factory tinyllava/eval/eval_pope.py@53f12c78; issue #154",
        "{question}" + SHORT,
        yes_no.first_sentence_yes_no,
        headline="mean_accuracy",
        note="as llava, with 1e-6 added to denominators; its table shows the mean accuracy",
    ),
    "lmms_eval": YesNoRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/pope/utils.py@75571cfe",
        "{question}" + SHORT,
        yes_no.bare_yes_no,
        headline="f1",
        note="only a bare yes or no counts; recall leaves other answers out; its own yes ratio is yes_ratio_of_targets",
    ),
    "vlmevalkit": YesNoRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "{question}",
        yes_no.word_yes_no,
        headline="f1",
        note="bare question; f1 is what it prints as Overall; an answer with neither or both words is wrong and not a "
        "yes",
    ),
}
COUNTING: Mapping[str, Counting] = {
    "tinyllava": Counting(epsilon=1e-6),
    "lmms_eval": Counting(empty=0.0, misses=binary.SAID_NO),
    "vlmevalkit": Counting(empty=0.0),
}
"""How protocols count, where not as the official script."""


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Figures over all questions, means over the kinds of questions, and figures by kind."""
    clusters = [sample.cluster for sample, _ in scored]
    kinds = [sample.tags.get("split", "") for sample, _ in scored]  # what was imported may not tell the kind
    answers, targets = [score.parsed_answer for _, score in scored], [sample.target for sample, _ in scored]
    items = binary.columns(answers, targets, [score.value or 0.0 for _, score in scored])
    counting, there = COUNTING.get(protocol, Counting()), [kind for kind in KINDS if kind in kinds]
    names = binary.FIGURES if protocol == "lmms_eval" else binary.USUAL
    note = "" if len(there) == len(KINDS) else f"mean over {', '.join(there)} only"
    found = [binary.figure(name, items, clusters, counting) for name in names]
    if all(kind in there for kind in kinds):
        found += binary.means(("f1", "accuracy"), items, clusters, counting, [*map(there.index, kinds)], note)
    for kind in there:
        rows = [row for row, other in enumerate(kinds) if other == kind]
        inside = [clusters[row] for row in rows]
        found += [binary.figure(name, items[rows], inside, counting, kind) for name in binary.USUAL]
    return found


_SAME = "3,000 of each kind about the same images"


VERSIONS = ("coco", "aokvqa", "gqa")
KINDS = ("random", "popular", "adversarial")
"""How the absent objects were chosen: POPE's three splits, kept as the tag `split`."""
HUB_FIELDS = ("question_id", "question", "answer", "image_source", "category")
RAW = "https://raw.githubusercontent.com/RUCAIBox/POPE/3df3ba1b110ecce25696989577fad583b67d4239"


def _parts(split: str) -> tuple[str, Sequence[str]]:
    """Which images, and the kinds of questions: the one that the split is named after, or all."""
    version, _, kind = split.partition("_")
    return version, (kind,) if kind else KINDS


def _places(version: str, kind: str) -> list[str]:
    """Where a question file may lie below the data folder, the usual place first."""
    names = [f"{version}_pope_{kind}.json", f"{version}_pope_seem_{kind}.json"]
    if version != "coco":
        names.reverse()
    folders = [f"{version}/", "", f"output/{version}/", f"seem/{version}/", f"output/seem/{version}/"]
    return [folder + name for folder in folders for name in names]


def required_files(split: str) -> list[DataFile]:
    """A question file of each kind, and the images."""
    version, kinds = _parts(split)
    folder = "output/coco" if version == "coco" else f"output/seem/{version}"
    files = []
    for kind in kinds:
        places = _places(version, kind)
        url = f"{RAW}/{folder}/{places[0].rpartition('/')[2]}"
        files.append(data_file(places, f"{kind} questions", url, "MIT", version))
    if version == "gqa":
        url = "https://downloads.cs.stanford.edu/nlp/data/gqa/images.zip"
        return [*files, data_file(("images",), "GQA images", url, "Visual Genome, CC BY 4.0", version)]
    also = (f"{version}/val2014", "images", f"{version}/images")
    return [*files, coco_images("val2014", "COCO val2014 images", version, also=also)]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions of the three kinds, or of one; ids are `random/1`."""
    version, kinds = _parts(split)
    if isinstance(data, Hub):
        return [sample for sample in _from_hub(data, version) if sample.tags["split"] in kinds]
    paths = zip(kinds, _question_files(data, version, kinds), strict=True)
    return [sample for kind, path in paths for sample in _of_kind(data, kind, path)]


def _question_files(data: Folder, version: str, kinds: Sequence[str]) -> list[Path]:
    places = {kind: _places(version, kind) for kind in kinds}
    missing = [kind for kind in kinds if data.find(*places[kind]) is None]
    others = [other for other in VERSIONS if other != version and data.find(*_places(other, KINDS[0]))]
    if len(missing) == len(kinds) and others:
        what = f"no question files of split {version} here, but of {', '.join(others)}"
        raise DataError(what, where=str(data.root), hint=f"name it: --tasks pope:{others[0]}")
    hint = f"missing: {', '.join(places[kind][0] for kind in missing)}; `vlmbench data fetch pope` gets them"
    if alone := [kind for kind in kinds if kind not in missing and missing]:
        hint += f"; or take one kind by itself: {', '.join(f'pope:{version}_{kind}' for kind in alone)}"
    return [data.need(f"POPE's {kind} question file", *places[kind], hint=hint) for kind in kinds]


def _of_kind(data: Folder, kind: str, path: Path) -> list[Sample]:
    here = data.relative(path.parent)
    places = (f"{here}/val2014", f"{here}/images", "val2014", "images", here, ".")
    rows = by_key(read_rows(path), "question_id")
    return [
        _sample(f"{kind}/{key}", row, row.text("text"), "label", data.image(row, row.text("image"), *places))
        for key, row in rows.items()
    ]


def _from_hub(data: Hub, version: str) -> list[Sample]:
    if version != "coco":
        raise DataError(f"the hub has POPE's split coco only, not {version}", hint="use --data DIR for the others")
    rows = hub_questions(
        data,
        mirrored("POPE"),
        "test",
        HUB_FIELDS,
        lambda row: row.text("image_source"),
        lambda row: f"{_kind(row)}/{row.key('question_id')}",
    )
    return [_sample(key, row, row.text("question"), "answer", image) for key, row, image in rows]


def _kind(row: Row) -> str:
    kind = row.text("category")
    if kind not in KINDS:
        raise row.error("category", f"{kind!r} is none of {', '.join(KINDS)}")
    return kind


def _sample(key: str, row: Row, question: str, label: str, image: ImageRef) -> Sample:
    tags = {"split": key.partition("/")[0]}
    return Sample(key, question, (image,), yes_no_target(row, label), tags=tags, cluster=image.name)


QUESTION_FILE = "llava_pope_test.jsonl"


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    """Sample id to text, of our own rows of id and text, of LLaVA's rows, or of official lines without ids.

    (The official and LLaVA's scripts pair lines by number: an old question file of 2,910 rows against new labels of
    3,000 then silently halves the random F1.)
    """
    found: list[IdTextRow] = []
    files = [rows for rows in read_files(path) if Path(rows[0].file).name != QUESTION_FILE]
    if not files:
        raise PredictionsError("this is a question file, not answers", where=str(path), hint="check --predictions")
    others = [kind for kind in KINDS if kind not in {sample.tags["split"] for sample in samples}]
    for rows in files:
        file = Path(rows[0].file)
        named = [kind for kind in KINDS if kind in file.name.lower()]
        kind = named[0] if len(named) == 1 else ""
        if kind in others and len(files) > 1:
            continue  # one kind is scored out of a folder of all
        if len(files) > 1 and not kind and not find_column(rows, "id"):
            what = "cannot tell which split this file answers"
            raise PredictionsError(what, where=str(file), hint=f"let its name hold one of: {', '.join(KINDS)}")
        answers = _answers(file, rows, samples, kind, others)
        found += [answer for answer in answers if answer[0].partition("/")[0] not in others]
    _refuse_one_kind(found, samples, path)
    return join(found, samples, path)


def _refuse_one_kind(found: Sequence[IdTextRow], samples: Sequence[Sample], path: Path) -> None:
    """Raise PredictionsError, naming the split to score, for the answers to all questions of one kind and no others."""
    answered, kinds = {key.partition("/")[0] for key, _, _ in found}, {sample.tags["split"] for sample in samples}
    if len(answered) != 1 or not answered < kinds:
        return
    (kind,) = answered
    if {key for key, _, _ in found} == {sample.id for sample in samples if sample.tags["split"] == kind}:
        every = ", ".join(name for name in KINDS if name in kinds)
        what = f"these are the answers to the {kind} questions alone; the split has {every}"
        hint = f"score that kind by itself: `vlmbench score pope:coco_{kind} --predictions {path}` (or aokvqa_, gqa_)"
        raise PredictionsError(what, where=str(path), hint=hint)


def _answers(
    file: Path, rows: Sequence[Row], samples: Sequence[Sample], kind: str, others: Sequence[str]
) -> Iterator[IdTextRow]:
    if find_column(rows, "id"):
        yield from id_and_answer(rows, ("id",), samples)
        return
    text = answer_column(rows, samples)
    refuse_numbers(rows, text, samples)
    if missing := next((row for row in rows if text not in row.values), None):
        raise PredictionsError(
            f"the row has no {text!r}, as others have", where=missing.where, hint="give every answer"
        )
    number = find_column(rows, "question_id")
    beside = (folder / QUESTION_FILE for folder in question_files.folders(file, samples))
    if number and (find_column(rows, "category", "split") or kind):
        yield from _by_number(rows, samples, kind, text)
    elif number and (questions := [path for path in beside if path.is_file()]):
        yield from _by_question_file(rows, samples, questions[0], text, others)
    else:
        yield from _by_text(rows, samples, kind, text)


def _repeated(row: Row, answer: str) -> str | None:
    """The question a row repeats, without the words a protocol put around it; None if it does not."""
    field = next((field for field in ("prompt", "question", "text") if field in row.values and field != answer), None)
    return None if field is None else bare_question(answer_text(row, field))


def _by_number(rows: Sequence[Row], samples: Sequence[Sample], kind: str, text: str) -> Iterator[IdTextRow]:
    """Rows that say their split and the official question_id in it."""
    known = {sample.id: sample for sample in samples}
    number, split = find_column(rows, "question_id"), find_column(rows, "category", "split")
    for row in rows:
        said = answer_text(row, split) if split else kind
        key = f"{said}/{answer_key(row, number)}"
        repeated = _repeated(row, text)
        if key in known and repeated is not None and repeated != bare_question(known[key].question):
            what = f"the row asks {repeated!r:.200}, but question {key} is {known[key].question!r}"
            raise PredictionsError(what, where=row.where, hint="use the question files these answers were made with")
        yield key, answer_text(row, text), row


def _by_question_file(
    rows: Sequence[Row], samples: Sequence[Sample], path: Path, text: str, others: Sequence[str]
) -> Iterator[IdTextRow]:
    """LLaVA's rows through its question file: question_id to category, image and text, which name a sample.

    A question_id is unique over that file, which lies beside the answers or one folder up.
    """
    waiting = Unanswered(
        samples, lambda sample: (sample.tags["split"], sample.images[0].name, bare_question(sample.question))
    )
    to_id: dict[str, str] = {}
    for question in answer_rows(path):
        kind, image = (answer_text(question, field) for field in ("category", "image"))
        sample = waiting.take((kind, image, bare_question(answer_text(question, "text"))))
        number = answer_key(question, "question_id")
        other = f"{kind}/{number}" if kind in others else f"question_id {number}"
        to_id[number] = sample.id if sample else other
    for row in rows:
        number = answer_key(row, "question_id")
        yield to_id.get(number, f"question_id {number}"), answer_text(row, text), row


def _by_text(rows: Sequence[Row], samples: Sequence[Sample], kind: str, text: str) -> Iterator[IdTextRow]:
    """Rows without ids: whole splits one after the other, in any order, each in the order of its question file."""
    kinds = [kind] if kind else list(dict.fromkeys(sample.tags["split"] for sample in samples))
    blocks = {name: [sample for sample in samples if sample.tags["split"] == name] for name in kinds}
    hint = "is an answer missing, or were other question files used (old random split: 2,910 rows, new: 3,000)?"
    for sample, row in in_blocks(rows, [_repeated(row, text) for row in rows], blocks, hint):
        yield sample.id, answer_text(row, text), row


# --------------------------------------------------------------------------------------------------------- writing


def _write_official(folder: Path, answers: Sequence[Answer]) -> None:
    """Lines of question and answer, a file per split, in the order of the question files."""
    lines: dict[str, list[dict[str, str]]] = {}
    for answer in answers:
        kind = answer.sample.tags["split"]
        lines.setdefault(kind, []).append({"question": answer.sample.question, "answer": answer.text})
    for kind, rows in lines.items():
        write_rows(folder / f"{kind}.jsonl", rows)


def _write_llava(path: Path, answers: Sequence[Answer]) -> None:
    """LLaVA's answer lines, and beside them the question file that says what their numbers stand for.

    Raises PredictionsError when another question file lies there.
    """
    questions = [
        {"question_id": n, "image": a.sample.images[0].name, "text": a.prompt, "category": a.sample.tags["split"]}
        for n, a in enumerate(answers)
    ]
    beside = path.parent / QUESTION_FILE
    if beside.is_file() and [dict(row.values) for row in answer_rows(beside)] != questions:
        raise PredictionsError("there is another question file", where=str(beside), hint="name another --output")
    write_rows(beside, questions)
    about = [{"question_id": n, "prompt": a.prompt, "text": a.text, "answer_id": a.id} for n, a in enumerate(answers)]
    write_rows(path, ({**row, "metadata": {}} for row in about))


ANSWERS = AnswerFiles(
    _read,
    "Official answer lines, LLaVA's answer lines, or rows of id and text.",
    {"official": Format("", _write_official), "llava": Format(".jsonl", _write_llava)},
    "A folder of official answer lines, a file per split; or LLaVA's answer lines, its question file beside them.",
)


POPE = YesNo(
    name="pope",
    title="POPE: object hallucination by yes/no questions (Li et al. 2023)",
    about=__doc__,
    sizes={
        "coco": Size(9_000, 500, note=f"{_SAME}; 8,910 in the files of August 2023"),
        **{version: Size(9_000, 500, note=_SAME) for version in VERSIONS[1:]},
        **{
            f"{version}_{kind}": Size(3_000, 500, note="one kind by itself, as the official script")
            for version in VERSIONS
            for kind in KINDS
        },
    },
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=ANSWERS,
    figures=figures,
)
