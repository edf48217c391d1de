"""Oracles of AMBER: its questions of yes and no, and its descriptions of images."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from unittest.mock import patch

from tests.golden.oracles.reading import Case, Check, Files, Oracle, Outcome, Readers, run, write_json
from tests.support.nltk_stand_in import NLTK
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder
from vlmbench.tasks.captions.amber_g import figures
from vlmbench.tasks.captions.amber_nouns import nltk_or_why

# ------------------------------------------------------------------------------------------------------ yes and no

AMBER_PARTS = {
    "Descriminative Task": "", "Exsitence": "existence_", "Attribute": "attribute_", "State": "state_",
    "Number": "number_", "Action": "action_", "Relation": "relation_",
}  # fmt: skip
AMBER_SETS: Mapping[str, Callable[[Case], bool]] = {
    "official": lambda case: True,
    "official_partial": lambda case: case["id"] % 5 != 0,
    "official_existence_rows_only": lambda case: case["type"] == "discriminative-hallucination",
    "official_all_yes": lambda case: True,
}


def amber_scored(oracle: Oracle, protocol: str, texts: Mapping[str, str]) -> Outcome:
    """The cases as AMBER's files, some of them answered."""
    queries = [{"id": c["id"], "image": f"AMBER_{c['id']}.jpg", "query": "Is it so?"} for c in oracle.cases["cases"]]
    write_json(oracle.scratch / "query_discriminative.json", queries)
    write_json(oracle.scratch / "annotations.json", oracle.cases["cases"])
    task = choose_task("amber_d").task
    samples = [sample for sample in task.samples(Folder(oracle.scratch), "all") if sample.id in texts]
    scored = [(sample, task.score(sample, Response(texts[sample.id]), protocol)) for sample in samples]
    return Outcome(scored, {metric.name: metric.value() for metric in task.summarise(scored, protocol)}, texts)


def amber_official(oracle: Oracle, name: str) -> None:
    """The figures as printed: with counters that start at 0.001, rounded to one place."""
    chosen = [case for case in oracle.cases["cases"] if AMBER_SETS[name](case)]
    texts = {str(case["id"]): "Yes" if name == "official_all_yes" else case["response"] for case in chosen}
    outcome = amber_scored(oracle, "official", texts)
    if name == "official":
        right = {str(row["id"]): row["official"] for row in oracle.expected["per_case"]}
        assert all(score.value == float(right[sample.id]) for sample, score in outcome.scored)
    tables = oracle.expected[name].values() if name == "official" else [oracle.expected[name]]
    for table in tables:
        for part, row in table.items():
            for figure, value in row.items():
                ours = outcome.values.get(f"{AMBER_PARTS[part]}{figure.lower()}", 0.0)  # a part without questions: 0
                assert round(ours, 1) == value, (name, part, figure)
    oracle.count(len(chosen))


def amber_vlmevalkit(oracle: Oracle, _: str) -> None:
    """What is read of each answer, and the mean of three accuracies."""
    outcome = amber_scored(oracle, "vlmevalkit", {str(c["id"]): c["response"] for c in oracle.cases["cases"]})
    right = {str(row["id"]): row for row in oracle.expected["per_case"]}
    for sample, read in outcome.scored:
        row = right[sample.id]
        assert (read.parsed_answer, read.value) == (row["vlmevalkit"].lower(), row["vlmevalkit_right"]), row
    names = {"Avg ACC": "mean_accuracy"}
    table = {names.get(n, f"{n.lower()}_accuracy"): v for n, v in oracle.expected["vlmevalkit"].items()}
    oracle.figures(outcome.values, table, "vlmevalkit")


# ---------------------------------------------------------------------------------------------------- descriptions

NAMES = ("CHAIR", "Cover", "Hal", "Cog")


def described(oracle: Oracle, protocol: str) -> Outcome:
    """The cases as AMBER's files. Their nouns are the descriptions, and stand in for what NLTK finds in them.

    The script was run without NLTK's and spaCy's models too: it was given the nouns, and the pairs that are alike.
    """
    answers, folder = oracle.cases["nouns"], oracle.scratch
    for name in ("annotations.json", "relation.json", "safe_words.txt"):
        (folder / name).write_text((oracle.folder / "files" / name).read_text("utf-8"), "utf-8")
    write_json(folder / "alike.json", oracle.cases["alike"])
    notes = [note for note in oracle.part("files/annotations") if str(note["id"]) in answers]
    queries = [
        {"id": note["id"], "image": f"AMBER_{note['id']}.jpg", "query": "Describe this image."}
        for note in notes
        if note["type"] == "generative"
    ]
    write_json(folder / "query_generative.json", queries)
    texts = {key: nouns if isinstance(nouns, str) else " ".join(nouns) for key, nouns in answers.items()}
    rows = [{"id": int(key), "response": text} for key, text in texts.items()]
    files = Files(folder, write_json(folder / "answers.json", rows), "test")

    nltk_or_why.cache_clear()
    with patch.dict(sys.modules, {"nltk": NLTK}):
        outcome = run("amber_g", protocol, files)
    nltk_or_why.cache_clear()
    return outcome


def amber_generative(oracle: Oracle, protocol: str) -> None:
    """The script's four figures as printed: of all answers, of blocks of ids, and of each answer alone."""
    scored = {int(sample.id): (sample, score) for sample, score in described(oracle, protocol).scored}
    expected = oracle.expected
    parts = [(expected["totals"], [*scored]), (expected["totals_generative_only"], [*scored])]
    for ids, row in expected["blocks"].items():
        first, last = map(int, ids.split("-"))
        parts.append((row, [key for key in scored if first <= key <= last]))
    parts += [(row, [row["id"]]) for row in expected["per_case"]]
    assert len(expected["per_case"]) == len(scored)
    for row, keys in parts:
        values = {metric.name: metric.value() for metric in figures([scored[key] for key in keys], protocol)}
        ours = {name: round(values[name.lower()], 1) for name in NAMES}
        assert ours == {name: row[name] for name in NAMES}, (protocol, keys[:3])
    oracle.count(len(scored))


READERS: dict[str, Readers] = {
    "amber_d": (Check(amber_official, tuple(AMBER_SETS)), Check(amber_vlmevalkit)),
    "amber_g": (Check(amber_generative, ("official", "word_list")),),
}
