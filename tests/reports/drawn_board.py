"""A board of twelve models and forty benchmarks: run folders in the real format, with answers drawn by chance.

    python -m tests.reports.drawn_board FOLDER       (writes FOLDER/runs/* and FOLDER/site, and says what it took)

Every task is a built-in one over its embedded sample, each question several times, so that metrics, intervals and
paired tests are the real ones. Questions are as hard for all models; a model answers right where its draw for the
question is below its ability on the task. Each model's tasks are spread over two runs, as people make them; see RUNS
for what else there is.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from vlmbench.base.registry import TaskChoice, choose_task
from vlmbench.base.samples import Record, Request, Response, Sample, Score
from vlmbench.data.files import Folder
from vlmbench.runs.execution.record_columns import record_columns
from vlmbench.runs.storage.layout import CHECK, MANIFEST, RECORDS, SCORES
from vlmbench.runs.storage.manifest import hash_of
from vlmbench.runs.storage.run_files import to_json
from vlmbench.scoring.score import score_response, summarise

TASKS = [
    "pope@llava",
    "gqa@llava",
    "textvqa@llava",
    "scienceqa@llava",
    "mme@llava",
    "mmbench:dev_en@llava",
    "vqav2",
    "mmmu",
    "mmstar",
    "ai2d",
    "chartqa",
    "docvqa",
    "infovqa",
    "ocrbench",
    "mathvista",
    "hallusionbench",
    "seedbench",
    "realworldqa",
    "vizwiz",
    "okvqa",
    "blink",
    "mmvp",
    "cvbench",
    "vstar",
    "muirbench",
    "mmmu_pro",
    "naturalbench",
    "sugarcrepe",
    "iconqa",
    "mmt_bench",
    "mme_realworld_lite",
    "stvqa",
    "countbenchqa",
    "pixmo_count",
    "tallyqa",
    "mathvision",
    "coco_captions",
    "nocaps",
    "flickr30k",
    "textcaps",
]
"""Those whose answers a rule can score, as right or as wrong."""
ONCE = ("mmbench:dev_en@llava", "hallusionbench", "naturalbench", "mmvp", "sugarcrepe")
"""Their questions form groups by their ids."""
FEW = ("mmvp", "coco_captions", "nocaps", "vstar", "mathvision", "countbenchqa")
"""Asked once too: too few questions to tell."""
OTHER = {"yes": "no", "no": "yes", "A": "B", "B": "C", "C": "A", "D": "A"}


@dataclass(frozen=True)
class Drawn:
    """One run of a model."""

    name: str
    ability: float
    """Standard deviations above the mean question."""
    tasks: Sequence[str]
    finished: str = "2026-03-01"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"dtype": "float32"})
    parameters: float = 2e9
    perturb: str = ""
    limit: int | None = None
    failed: Sequence[str] = ()
    """The tasks that a gate found worse."""

    @property
    def weights(self) -> str:
        """Runs of one name have one set of weights."""
        return sha256(self.name.encode()).hexdigest()


def runs(tasks: Sequence[str] = TASKS) -> list[Drawn]:
    """Two sittings of each model; an older run, a gate that failed, a model without some tasks, another dtype."""
    half = len(tasks) // 2
    first, second = tasks[:half], tasks[half:]
    models = {
        "Harbour-VL-7B": (0.95, 7e9),
        "Kestrel-8B": (0.83, 8e9),
        "Kestrel-2B": (0.45, 2e9),
        "Juniper-Vision-3.1B": (0.55, 3.1e9),
        "nanoVLM-450M": (-0.1, 4.5e8),
        "Osprey-4B-Instruct": (0.7, 4e9),
        "tiny-llava-1.5B": (0.1, 1.5e9),
        "Mistral-Lens-12B": (0.78, 1.2e10),
        "smol-vlm-256M": (-0.4, 2.56e8),
        "Quartz-VL-72B-preview-2026-02": (0.9, 7.2e10),
    }
    found = []
    for name, (ability, parameters) in models.items():
        one = Drawn(name, ability, first, parameters=parameters)
        found += [one, replace(one, tasks=second, finished="2026-03-02")]
    half_precision = {"dtype": "bfloat16"}
    found += [
        replace(found[2], tasks=[*first, *second], settings=half_precision, ability=0.8, finished="2026-03-04"),
        Drawn("Fjord-1B", 0.2, [*first, *second[: half // 2]], parameters=1e9),
        replace(found[0], ability=1.05, finished="2026-02-01"),
    ]
    found[4] = replace(found[4], failed=[first[min(1, half - 1)]])
    return found


@lru_cache
def questions(name: str, target: int) -> tuple[TaskChoice, list[tuple[Sample, tuple[str, Score], tuple[str, Score]]]]:
    """A task's samples, so often that there are `target` questions, each with a right answer and a wrong one."""
    choice = choose_task(name)
    samples = list(choice.task.samples(Folder.sample(choice.task.name), choice.split))
    rows = []
    copies = 1 if name in (*ONCE, *FEW) else max(1, target // len(samples))
    for copy in range(copies):
        for sample in samples:
            mark = f"~{copy}" if copy else ""
            again = replace(sample, images=(), id=sample.id + mark, cluster=sample.cluster + mark)
            told = sample.target[0] if isinstance(sample.target, tuple) else sample.target
            texts = (str(told), OTHER.get(str(told), "unknown"))
            scored = [
                (text, score_response(choice.task, choice.protocol, again, Response(text, finish="stop")))
                for text in texts
            ]
            rows.append((again, scored[0], scored[1]))
    return choice, rows


def write(folder: Path, drawn: Drawn, target: int = 400) -> Path:
    """Write a run's folder; returns it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    records: list[Record] = []
    scores: dict[str, Any] = {}
    entries: dict[str, Any] = {}
    for name in drawn.tasks:
        choice, rows = questions(name, target)
        own = _records(drawn, choice.key, rows)
        records += own
        scores[choice.key] = summarise(choice, [(one.sample, one.score) for one in own], resamples=1_000)
        entries[choice.key] = _entry(choice, own)
    pq.write_table(pa.table(record_columns(records)), folder / RECORDS)
    (folder / SCORES).write_bytes(to_json(scores))
    (folder / MANIFEST).write_bytes(to_json(_manifest(drawn, entries)))
    if drawn.failed:
        told = {key: {"outcome": "fail", "reasons": [f"{key} fell by 4.1"]} for key in drawn.failed}
        (folder / CHECK).write_text(json.dumps({"outcome": "fail", "tasks": [], "by_task": told}))
    return folder


def _seed(*words: str) -> int:
    return int(sha256("\n".join(words).encode()).hexdigest()[:8], 16)


def _records(
    drawn: Drawn, key: str, rows: Sequence[tuple[Sample, tuple[str, Score], tuple[str, Score]]]
) -> list[Record]:
    hard = np.random.default_rng(_seed(key)).standard_normal(len(rows))
    rng = np.random.default_rng(_seed(key, drawn.name, str(drawn.settings), drawn.finished))
    luck = np.random.default_rng(_seed(key, drawn.name)).standard_normal(len(rows))
    offset = np.random.default_rng(_seed(key, "offset")).normal(0, 0.5)
    skill = np.random.default_rng(_seed(key, drawn.name, "skill")).normal(drawn.ability, 0.2) + offset
    noise = np.sqrt(0.55) * hard + np.sqrt(0.4) * luck + np.sqrt(0.05) * rng.standard_normal(len(rows))
    margin = NormalDist().inv_cdf(0.5) + skill - noise
    found = []
    for (sample, right, wrong), ahead in zip(rows, margin.tolist(), strict=True):
        text, score = right if ahead > 0 else wrong
        speed = 0.02 * (drawn.parameters / 1e9) ** 0.7
        response = Response(text, finish="stop", new_tokens=2, prompt_tokens=640, seconds=speed)
        answer_key = sha256(f"{drawn.weights}{key}{sample.id}".encode()).hexdigest()[:32]
        found.append(Record(key, sample, Request(sample.id, sample.question), answer_key, (), response, score))
    return found


def _entry(choice: TaskChoice, own: Sequence[Record]) -> dict[str, Any]:
    task, protocol = choice.task, choice.task.protocols[choice.protocol]
    asked = hash_of([one.sample.id for one in own])
    return {
        "name": task.name,
        "title": task.title,
        "version": task.version,
        "split": choice.split,
        "protocol": choice.protocol,
        "protocol_source": protocol.source,
        "protocol_note": protocol.note,
        "headline": protocol.headline,
        "data": "/data/drawn",
        "samples": len(own),
        "images": len({one.sample.cluster for one in own}),
        "prompt_example": own[0].request.prompt,
        "generation": {"max_new_tokens": 16, "stop": [], "temperature": 0.0},
        "hashes": {"samples": asked, "prompts": asked, "images": "0" * 16},
    }


def _manifest(drawn: Drawn, entries: Mapping[str, Any]) -> dict[str, Any]:
    asked = {
        "model": f"hf:someone/{drawn.name}",
        "settings": dict(drawn.settings),
        "tasks": list(entries),
        "data": "/data/drawn",
        "limit": drawn.limit,
        "perturb": drawn.perturb,
        "seed": 0,
    }
    identity = hash_of([asked, drawn.weights, drawn.finished])
    return {
        "format": 1,
        "vlmbench": "0.1.0",
        "identity": identity,
        "asked": asked,
        "command": ["vlmbench", "run", "--model", str(asked["model"]), "--tasks", ",".join(entries)],
        "started": f"{drawn.finished}T08:00:00Z",
        "finished": f"{drawn.finished}T09:00:00Z",
        "seed": 0,
        "data_folder": "/data/drawn",
        "model": {
            "name": drawn.name,
            "fingerprint": drawn.weights,
            "settings": dict(drawn.settings),
            "facts": {
                "parameters": int(drawn.parameters),
                "weight_bytes": int(drawn.parameters * (2 if drawn.settings.get("dtype") == "bfloat16" else 4)),
                "peak_memory_bytes": int(drawn.parameters * 2.6),
            },
        },
        "tasks": dict(entries),
        "code": {"commit": sha256(identity.encode()).hexdigest()[:40], "changed": False},
        "packages": {"python": "3.11.7", "torch": "2.13.0"},
        "hardware": {"machine": "x86_64", "processor": "Some Processor", "cores": 2},
    }


def drawn_runs(folder: Path, tasks: Sequence[str] = TASKS, target: int = 400) -> list[Path]:
    """Folders of all runs, named so that no name tells what is in them."""
    return [write(folder / f"r{at:02}", one, target) for at, one in enumerate(runs(tasks))]


def main() -> int:
    """Write runs (once) and the site; print its sizes and processor time."""
    from importlib import import_module

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    places = sorted((options.folder / "runs").glob("r*")) or drawn_runs(options.folder / "runs")
    before = resource.getrusage(resource.RUSAGE_SELF)
    build: Any = import_module("vlmbench.reports.site.build")
    page = build.write(places, options.folder / "site")
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    whole = sum(path.stat().st_size for path in page.parent.rglob("*") if path.is_file())
    print(f"{len(places)} runs: {seconds:.1f} CPU s, {after.ru_maxrss / 2**20:.2f} GiB")
    print(f"index.html {page.stat().st_size / 1e6:.2f} MB, the folder {whole / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
