"""LLaVA-Bench (in the wild): open questions about 24 images; a judge compares each answer with a reference.

Liu et al., Visual Instruction Tuning, NeurIPS 2023 (arXiv 2304.08485). Files of the hub's dataset
liuhaotian/llava-bench-in-the-wild: questions.jsonl, context.jsonl, answers_gpt4.jsonl, images/. The scripts join them
by the number of the line; we join them by id. The judge's review: two numbers in its first line, the reference's grade
first (llava/eval/table/rule.json@c121f043; the three categories have one rule text). The score:
vlmbench.stats.judges.judge_runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from vlmbench.base.samples import ImageRef, Sample, Verdict
from vlmbench.base.task import DataFile, JudgeRules, Size
from vlmbench.data.answers.predictions import write_rows
from vlmbench.data.files import Folder, Hub, read_rows
from vlmbench.data.official.files import by_key, hub_questions, mirrored
from vlmbench.data.rows import Row
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, PlainRows
from vlmbench.families.base import OwnFiles, Scored, fill
from vlmbench.families.judged import Judged, JudgedRules, PairReview, ReviewLines
from vlmbench.families.short_answer import number
from vlmbench.parsing.numbers import two_numbers
from vlmbench.stats.judges import judge_runs
from vlmbench.stats.metrics import MORE, NEITHER, Metric

SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
RULE = (
    "We would like to request your feedback on the performance of two AI assistants in response to the user question "
    "displayed above. The user asks the question on observing an image. For your reference, the visual content in the "
    "image is represented with a few sentences describing the image. \n"
    "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives an "
    "overall score on a scale of 1 to 10, where a higher score indicates better overall performance.\n"
    "Please first output a single line containing only two values indicating the scores for Assistant 1 and 2, "
    "respectively. The two scores are separated by a space.\n"
    "In the subsequent line, please provide a comprehensive explanation of your evaluation, avoiding any potential "
    "bias and ensuring that the order in which the responses were presented does not affect your judgment."
)
TEMPLATE = (
    "[Context]\n{context}\n\n[Question]\n{question}\n\n"
    "[Assistant 1]\n{reference}\n\n[End of Assistant 1]\n\n"
    "[Assistant 2]\n{answer}\n\n[End of Assistant 2]\n\n"
    "[System]\n" + RULE + "\n\n"
)


def prompt(context: str, question: str, reference: str, answer: str) -> str:
    """The whole text; what stands in braces in one part is not filled from another."""
    return fill(TEMPLATE, {"context": context, "question": question, "reference": reference, "answer": answer})


def _words(sample: Sample, answer: str) -> str:
    return prompt(sample.extra["context"], sample.question, sample.target, answer)


_review = partial(PairReview, words=_words, system=SYSTEM)

REVIEWS = {
    "honest": _review(JudgeRules("gpt-4-0314", SYSTEM + TEMPLATE, 1024, 0.2), keeps_failures=False),
    "official": _review(JudgeRules("gpt-4-0314", SYSTEM + TEMPLATE, 1024, 0.2)),
    "vlmevalkit": _review(JudgeRules("gpt-4-1106-preview", SYSTEM + TEMPLATE, 2048, 0.2)),
    "lmms_eval": _review(JudgeRules("gpt-4o-2024-11-20", TEMPLATE, 1024, 0.2), system="", read=two_numbers),
}
"""By protocol."""


_LLAVA = "haotian-liu/LLaVA llava/eval/{eval_gpt_review_bench,summarize_gpt_review}.py@c121f043"


def _rules(protocol: str, source: str, note: str, tokens: int = 1024, stop: tuple[str, ...] = ()) -> JudgedRules:
    review = REVIEWS[protocol]
    return JudgedRules(
        source, "{question}", review, tokens, stop=stop, headline="relative_score", judge=review.rules, note=note
    )


RULES: Mapping[str, JudgedRules] = {
    "honest": _rules(
        "honest",
        f"{_LLAVA}, without what it makes of failures",
        "a review without two grades up to 10 is missing, not -1; nothing is rounded on the way",
    ),
    "official": _rules(
        "official",
        _LLAVA,
        "unreadable reviews stay in both means as -1, which lifts a score towards 100; rounded as the script does",
    ),
    "vlmevalkit": _rules(
        "vlmevalkit",
        "open-compass/VLMEvalKit vlmeval/dataset/utils/llavabench.py@e8e78f05",
        "as official, without rounding the means",
    ),
    "lmms_eval": _rules(
        "lmms_eval",
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/llava-in-the-wild/utils.py@75571cfe",
        "reads the first two numbers of the first line, whatever they are; failures stay in as -1",
        4096,
        ("ASSISTANT:",),
    ),
}

PLACES: Mapping[str, tuple[int | None, int | None]] = {
    "official": (3, 1),
    "lmms_eval": (3, 1),
    "vlmevalkit": (None, 1),
}
"""Decimal places of the means and of the ratio, where the scripts round."""


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Relative score (the answers' mean grade over the references'), whole and by category; both sides' grades."""
    pairs = judge_runs.pairs_of_grades([score for _, score in scored])
    clusters, places = [sample.cluster for sample, _ in scored], PLACES.get(protocol, (None, None))
    found = [judge_runs.relative_grade("relative_score", pairs, clusters, places)]
    for side, (name, better) in enumerate((("reference_score", NEITHER), ("answer_score", MORE))):
        found.append(judge_runs.mean_grade(name, pairs, clusters, side, better, 10))
    for name in CATEGORIES:
        rows = [row for row, (sample, _) in enumerate(scored) if sample.tags["category"] == name]
        if rows:
            inside, bar = [clusters[row] for row in rows], ("category", name)
            found.append(judge_runs.relative_grade(f"relative_score_{name}", pairs[rows], inside, places, *bar))
    return found


CATEGORIES = ("conv", "detail", "complex")
HUB_FIELDS = ("question_id", "question", "caption", "gpt_answer", "category")
RAW = "https://huggingface.co/datasets/liuhaotian/llava-bench-in-the-wild/resolve/main"
LICENCE = "Apache-2.0 (dataset card); images from the web; reference answers written by GPT-4"
FILES = {
    "questions.jsonl": "60 questions (8 kB)",
    "context.jsonl": "what the 24 images show, in words, for the judge (8 kB)",
    "answers_gpt4.jsonl": "reference answers (47 kB)",
}


def required_files(split: str) -> list[DataFile]:
    """Questions, what the images show, reference answers, images."""
    files = FILES | {f"images/{n:03d}.jpg": f"image {n} of 24 (10 MB in all)" for n in range(1, 25)}
    return [DataFile(name, what, f"{RAW}/{name}", licence=LICENCE) for name, what in files.items()]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions; ids are their question_id."""
    if isinstance(data, Hub):
        return _from_hub(data)
    hint = "`vlmbench data fetch llava_bench` gets it"
    paths = [data.need(f"LLaVA-Bench's {name}", name, hint=hint) for name in FILES]
    questions, contexts, references = (read_rows(path) for path in paths)
    context, reference = by_key(contexts, "image"), by_key(references, "question_id")
    found = []
    for key, row in by_key(questions, "question_id").items():
        name = row.text("image")
        if name not in context:
            raise row.error("image", f"{name!r} has no context", f"context.jsonl must have one: {paths[1]}")
        if key not in reference:
            raise row.error("question_id", f"{key} has no reference answer", f"it must be in {paths[2]}")
        image, target = data.image(row, name, "images", "."), reference[key].text("text")
        found.append(_sample(key, row, row.text("text"), image, target, _caption(context[name]), name))
    return found


def _from_hub(data: Hub) -> list[Sample]:
    """The rows name no image; questions about one share its description."""
    names = mirrored("llava-bench-in-the-wild")
    rows = hub_questions(data, names, "train", HUB_FIELDS, lambda row: f"{row.key('question_id')}.jpg")
    return [
        _sample(key, row, row.text("question"), image, row.text("gpt_answer"), _caption(row), _caption(row))
        for key, row, image in rows
    ]


def _sample(key: str, row: Row, question: str, image: ImageRef, target: str, context: str, cluster: str) -> Sample:
    category = row.text("category").removeprefix("llava_bench_")
    if category not in CATEGORIES:
        raise row.error("category", f"{category!r} is none of {', '.join(CATEGORIES)}")
    extra = {"context": context}
    return Sample(key, question, (image,), target, tags={"category": category}, cluster=cluster, extra=extra)


def _caption(row: Row) -> str:
    """One description, or several on lines of their own."""
    return "\n".join(row.texts("caption")) if isinstance(row.values.get("caption"), list) else row.text("caption")


def _write(path: Path, answers: Sequence[Answer]) -> None:
    about = {"model_id": "vlmbench", "metadata": {}}
    rows = (
        {"question_id": number(a.id), "prompt": a.sample.question, "text": a.text, "answer_id": f"answer-{a.id}"}
        for a in answers
    )
    write_rows(path, ({**row, **about} for row in rows))


ANSWERS = AnswerFiles(
    PlainRows(("question_id", "id")),
    "LLaVA's answer lines (question_id, text), or rows of id and text.",
    {"answers": Format(".jsonl", _write)},
    "LLaVA's answer lines, in the order of the questions: its review script pairs lines by number.",
)


LLAVA_BENCH = Judged(
    name="llava_bench",
    title="LLaVA-Bench (in the wild): answers compared with references by a judge (Liu et al. 2023)",
    about=__doc__,
    sizes={"test": Size(60, 24, note="17 of conversation, 15 of detail, 28 of complex reasoning")},
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=ANSWERS,
    verdict_files=ReviewLines(REVIEWS),
    scale=(Verdict(1.0, values=(10.0, 1.0)), Verdict(10.0, values=(1.0, 10.0))),
    figures=figures,
)
