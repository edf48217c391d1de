"""MM-Vet: open questions that need several abilities at once, graded 0 to 1 by a judge.

Yu et al., MM-Vet: Evaluating Large Multimodal Models for Integrated Capabilities, ICML 2024 (arXiv 2308.02490).
Files: mm-vet.json, images/ and bard_set.json of mm-vet.zip (MM-Vet@acde843e). The judge: mmvet_grading.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Generation, ImageRef, Request, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub, read_json, read_keyed, unique
from vlmbench.data.predictions import OTHERS, named
from vlmbench.data.rows import Row
from vlmbench.scoring.verdicts import NO_JUDGE
from vlmbench.stats.metrics import MORE, RATE, Metric

from . import mmvet_answers, mmvet_grading, mmvet_prompts

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math")
"""Recognition, reading, knowledge, writing, where things are, arithmetic."""
_ANSWER = Generation(max_new_tokens=1024)

PROTOCOLS: Mapping[str, TaskProtocol] = {
    "official": TaskProtocol(
        "official",
        "yuweihao/MM-Vet mm-vet_evaluator.py@acde843e; bare question",
        "total",
        _ANSWER,
        "mean over the judge's runs (papers: five by gpt-4-0613); a reply that is never a number counts as 0",
        mmvet_grading.RULES["official"],
    ),
    "vlmevalkit": TaskProtocol(
        "vlmevalkit",
        "open-compass/VLMEvalKit vlmeval/dataset/utils/mmvet.py@e8e78f05",
        "total",
        _ANSWER,
        "the whole reply must be a number; five tries, then 0; integrations by the order in which they are written",
        mmvet_grading.RULES["vlmevalkit"],
    ),
    "lmms_eval": TaskProtocol(
        "lmms_eval",
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmvet/utils.py@75571cfe",
        "total",
        _ANSWER,
        "asks the model to think step by step; an empty or never readable reply of the judge counts as 0",
        mmvet_grading.RULES["lmms_eval"],
    ),
}

HUB_NAMES = ("lmms-lab/MMVet", "lmms-lab-encoder/MMVet")
HUB_FIELDS = ("question_id", "question", "answer", "capability")
ZIP = "https://github.com/yuweihao/MM-Vet/releases/download/v1/mm-vet.zip"
LICENCE = "CC BY-NC 4.0"


class MMVet:
    """The benchmark, for all its protocols."""

    name = "mmvet"
    title = "MM-Vet: integrated capabilities, graded by a judge (Yu et al. 2023)"
    version = 1
    splits: tuple[str, ...] = ("test", "bard_set")
    sizes: Mapping[str, Size] = MappingProxyType(
        {"test": Size(218, 200), "bard_set": Size(168, note="the questions about pictures without people")}
    )
    protocols = PROTOCOLS
    formats: Mapping[str, str] = MappingProxyType({"results": ".json"})

    def required_files(self, split: str) -> Sequence[DataFile]:
        """Questions, pictures, and for bard_set the ids of the questions without people."""
        found = [
            DataFile(
                "mm-vet.json", "218 questions (mm-vet.zip, 60 MB)", ZIP, licence=LICENCE, also=("mm-vet/mm-vet.json",)
            ),
            DataFile("images", "200 pictures (mm-vet.zip)", ZIP, licence=LICENCE, also=("mm-vet/images",)),
        ]
        if split == "bard_set":
            what = "ids of the 168 questions about pictures without people (in mm-vet.zip)"
            found.append(
                DataFile("bard_set.json", what, ZIP, licence=LICENCE, split=split, also=("mm-vet/bard_set.json",))
            )
        return found

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions; ids are the file's own, `v1_7`."""
        if isinstance(data, Hub):
            return self._from_hub(data, split)
        data = data.within(self.name)
        hint = "it is in mm-vet.zip; `vlmbench data fetch mmvet` gets it"
        path = data.need("MM-Vet's question file", "mm-vet.json", "mm-vet/mm-vet.json", hint=hint)
        wanted = self._subset(data) if split == "bard_set" else None
        here = data.relative(path.parent)
        places = ("images" if here == "." else f"{here}/images", "images", here, "mm-vet/images")
        found = []
        rows = read_keyed(path, "question")
        self._check_subset(wanted or frozenset(), rows, path)
        others = frozenset(key for key in rows if wanted is not None and key not in wanted)
        for key, row in rows.items():
            if key in others:
                continue
            image = row.text("imagename")
            found.append(_sample(key, row, row.texts("capability"), image, data.picture(row, image, *places)))
        if not found:
            raise DataError(
                "no question is left", where=str(path), hint="are bard_set.json and mm-vet.json of one zip?"
            )
        if others:
            found = [replace(one, extra={**one.extra, OTHERS: others}) for one in found]
        return found

    def _check_subset(self, wanted: Collection[str], rows: Mapping[str, Row], path: Path) -> None:
        """Refuse a list with an id of no question, unless most of the questions are absent (a part of the file)."""
        unknown = [key for key in wanted if key not in rows]
        if unknown and len(unknown) < len(wanted) // 4:
            what = f"bard_set.json names {named(sorted(unknown))}, which are no questions"
            raise DataError(what, where=str(path), hint="are both files of one zip?")

    def _subset(self, data: Folder) -> set[str]:
        path = data.need("MM-Vet's list of questions without people", "bard_set.json", "mm-vet/bard_set.json")
        ids = read_json(path)
        if not isinstance(ids, list) or not all(isinstance(key, str) for key in ids):
            raise DataError("a list of ids was expected", where=str(path), hint="get the official file")
        return set(ids)

    def _from_hub(self, data: Hub, split: str) -> Sequence[Sample]:
        if split != "test":
            raise DataError("the hub has MM-Vet's split test only", hint="use --data DIR with the official files")
        table = data.table(HUB_NAMES, "default", "test", (*HUB_FIELDS, "image"))
        rows = [(row.key("question_id"), row) for row in table.rows(HUB_FIELDS)]
        unique(rows, "question_id")
        return [
            _sample(key, row, row.text("capability").split(","), f"{key}.png", table.picture(at, "image", f"{key}.png"))
            for at, (key, row) in enumerate(rows)
        ]

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The bare question; lmms-eval asks to think first."""
        prompt = mmvet_prompts.THINK + sample.question if protocol == "lmms_eval" else sample.question
        return Request(sample.id, prompt, sample.images, generation=PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """None: a judge grades the answers."""
        return Score(None, Status.JUDGE_FAILED, note=NO_JUDGE)

    def grade(self, sample: Sample, response: Response, protocol: str) -> mmvet_grading.Talk:
        """One conversation with the judge about one answer."""
        return mmvet_grading.TALKS[protocol](sample.question, sample.target, response.text)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """The total, by capability (a question counts for each of its own) and by exact set of capabilities."""
        every = list(range(len(scored)))
        made = [_mean(scored, every, "total")]
        for breakdown, labels in _breakdowns([sample for sample, _ in scored], protocol).items():
            for label, at in labels.items():
                made.append(replace(_mean(scored, at, f"{breakdown}_{label}"), breakdown=breakdown, label=label))
        return made

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """A results JSON, LLaVA's answer lines, or rows of id and text."""
        return mmvet_answers.read(path, samples)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The results JSON that the official script and the authors' grading page take."""
        found = {sample.id: answers[sample.id] for sample in samples}
        path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")

    def read_verdicts(
        self, path: Path, samples: Sequence[Sample], protocol: str
    ) -> Mapping[str, tuple[Verdict, ...]] | None:
        """A grade file of the official script; None for anything else."""
        return mmvet_answers.read_grades(path, samples)


def _mean(scored: Sequence[tuple[Sample, Score]], at: Sequence[int], name: str) -> Metric:
    """The mean over the judge's runs of each run's mean grade, added up as the official script does: sums by run."""
    import numpy as np

    grades = [[verdict.value for verdict in scored[index][1].verdicts] for index in at]
    items = np.concatenate([np.array(grades, dtype=np.float64), np.ones((len(at), 1))], axis=1)
    clusters = [scored[index][0].cluster for index in at]
    binary = bool(np.isin(items, (0.0, 1.0)).all())
    return Metric(name, items, clusters, _mean_of_runs, limits=RATE, proportion=binary, better=MORE)


def _mean_of_runs(sums: Floats) -> Floats:
    import numpy as np

    count = sums[..., -1:]
    runs = np.divide(sums[..., :-1], count, out=np.full(np.shape(sums[..., :-1]), np.nan), where=count != 0) * 100
    value: Floats = np.asarray(runs.mean(axis=-1))
    return value


def _breakdowns(samples: Sequence[Sample], protocol: str) -> dict[str, dict[str, list[int]]]:
    """Rows by capability and by integration.

    VLMEvalKit keeps both in one table: a question with one capability counts twice for it, and the integration of
    that name is the capability.
    """
    together = protocol == "vlmevalkit"
    integrations: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        tag = sample.tags["integration_as_written" if together else "integration"]
        integrations.setdefault(tag, []).append(index)
    capabilities = {
        name: [index for index, sample in enumerate(samples) if name in sample.extra["capabilities"]]
        + (integrations.get(name, []) if together else [])
        for name in CAPABILITIES
    }
    if together:
        integrations |= {name: at for name, at in capabilities.items() if name in integrations}
    return {"capability": {name: at for name, at in capabilities.items() if at}, "integration": integrations}


def _sample(key: str, row: Row, capabilities: Sequence[str], image: str, picture: ImageRef) -> Sample:
    names = [name.strip() for name in capabilities]
    if unknown := [name for name in names if name not in CAPABILITIES]:
        raise row.error("capability", f"{unknown[0]!r} is none of {', '.join(CAPABILITIES)}")
    if not names:
        raise row.error("capability", "the list is empty")
    tags = {"integration": "+".join(sorted(set(names))), "integration_as_written": "_".join(names)}
    return Sample(
        id=key,
        question=row.text("question"),
        images=(picture,),
        target=row.text("answer"),
        tags=tags,
        cluster=image,
        extra={"capabilities": frozenset(names)},
    )


MMVET = MMVet()
