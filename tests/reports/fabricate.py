"""Makes folders of finished runs without a model: the store's own format, filled with plausible or hostile content."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmbench.base.samples import ImageRef, Record, Request, Response, Sample, Score, Status
from vlmbench.runs.execution.record_columns import record_columns
from vlmbench.runs.storage.layout import JUDGEMENTS, MANIFEST, RECORDS, SCORES, THUMBS
from vlmbench.runs.storage.run_files import to_json
from vlmbench.stats.intervals import intervals
from vlmbench.stats.metrics import Metric, by_tag, mean, ratio

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

HOSTILE = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    "<!-- <script> --><img src=x onerror='window.hacked = 3'>",
    "javascript:window.hacked=4",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "\u202egnp.exe\u2066 \u2028\u2029 \u0000 \ufffc",
    "&lt;b&gt; \"quoted\" 'single' `tick` \\u003c",
    "x" * 30_000,
)
THINGS = ("dog", "chair", "bottle", "car", "surfboard", "dining table", "cat", "backpack", "traffic light", "bench")
COLOURS = ("red", "green", "blue", "yellow", "white", "black")
KINDS = {
    "query": ("What colour is the {thing}?", COLOURS),
    "verify": ("Is the {thing} in the picture?", ("yes", "no")),
    "choose": ("Is the {thing} left or right of the {other}?", ("left", "right")),
    "logical": ("Are there both a {thing} and a {other}?", ("yes", "no")),
}


@dataclass(frozen=True)
class Recipe:
    """What to fabricate."""

    name: str = "tinyllava"
    skill: float = 0.85
    images: int = 24
    questions: int = 9
    seed: int = 0
    hostile: bool = False
    failures: float = 0.01
    tasks: tuple[str, ...] = ("pope", "gqa")
    data: str = "sample"
    perturb: str = ""
    training: bool = True
    pictures: bool = True
    breakdowns: bool = True
    judged: bool = False
    """Whether a judge's words lie beside the answers to the last task."""


def fabricate(folder: Path, recipe: Recipe | None = None, **changes: Any) -> Path:
    """Write a run's folder; returns it."""
    recipe = replace(recipe or Recipe(), **changes)
    rng = random.Random(recipe.seed)
    (folder / THUMBS).mkdir(parents=True)
    hashes = [_picture(folder, recipe, number) for number in range(recipe.images)]
    records: list[Record] = []
    scores: dict[str, Any] = {}
    for task in recipe.tasks:
        made = [_record(recipe, task, n, hashes, rng) for n in range(recipe.images * recipe.questions)]
        records += made
        scores[task] = _scores(recipe, task, made)
    if recipe.judged:
        told = {"std": 0.5, "in_intervals": True, "krippendorff_alpha": 0.912, "verdicts": len(made), "failed": 0}
        scores[task]["judge"] = {
            "runs": 2,
            "run_values": [80.0, 81.0],
            "models": ["a judge"],
            "prompt_hash": "0",
            **told,
        }
    _write(folder, recipe, records, scores)
    return folder


def _picture(folder: Path, recipe: Recipe, number: int) -> str:
    """Shapes on a coloured ground; the same number gives the same picture in every run."""
    from PIL import Image, ImageDraw

    rng = random.Random(number)
    digest = sha256(f"picture {number}".encode()).hexdigest()
    if not recipe.pictures:
        return digest
    image = Image.new("RGB", (256, rng.choice((171, 192, 256))), tuple(rng.randrange(150, 245) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randrange(2, 6)):
        x, y, size = rng.randrange(0, 200), rng.randrange(0, 140), rng.randrange(24, 80)
        box, colour = (x, y, x + size, y + size), tuple(rng.randrange(20, 230) for _ in range(3))
        rng.choice((draw.ellipse, draw.rectangle))(box, fill=colour)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    (folder / THUMBS / f"{digest[:16]}.jpg").write_bytes(out.getvalue())
    return digest


def _record(recipe: Recipe, task: str, number: int, hashes: Sequence[str], rng: random.Random) -> Record:
    image = number // recipe.questions
    name = f"COCO_val2014_{image:012}.jpg"
    thing, other = rng.sample(THINGS, 2)
    if task == "pope":
        split = ("random", "popular", "adversarial")[number % 3]
        options: tuple[str, ...] = ("yes", "no")
        question, tags = f"Is there a {thing} in the image?", {"split": split}
    else:
        kind = list(KINDS)[number % len(KINDS)]
        form, options = KINDS[kind]
        question = form.format(thing=thing, other=other)
        tags = {"structural": kind, "semantic": rng.choice(("attr", "rel", "obj", "cat", "global"))}
    target = rng.choice(options)
    right = rng.random() < recipe.skill - 0.1 * (tags.get("split") == "adversarial") - (hash_of(name) % 3) * 0.05
    text = target if right else rng.choice([option for option in options if option != target])
    status = Status.OK if rng.random() >= recipe.failures else rng.choice((Status.TRUNCATED, Status.ERROR))
    if recipe.hostile:
        nasty = HOSTILE[number % len(HOSTILE)]
        question, text, name = f"{question} {nasty[:300]}", f"{text} {nasty}", f"{nasty[:60]}_{image}.jpg"
        tags |= {nasty[:20] or "tag": nasty[:200], "structural": nasty[:50]}
    sample = Sample(f"{task}-{number}", question, (ImageRef(name, bytes),), target, tags=tags, cluster=name)
    prompt = f"{question}\nAnswer the question using a single word or phrase."
    finish = "error" if status is Status.ERROR else "length" if status is Status.TRUNCATED else "stop"
    response = Response(
        "" if finish == "error" else text.capitalize(),
        finish=finish,
        prompt_tokens=52,
        new_tokens=len(text.split()),
        error="out of memory" if finish == "error" else "",
        seconds=0.01 + rng.random() / 50,
        margin=rng.expovariate(0.4),
    )
    score = Score(float(right), parsed_answer=text) if status is Status.OK else Score(None, status)
    digests = (hashes[image],)
    key = sha256(f"{task} {prompt} {image}".encode()).hexdigest()[:32]
    return Record(task, sample, Request(sample.id, prompt, sample.images), key, digests, response, score)


def hash_of(text: str) -> int:
    """A number that depends on nothing but the text."""
    return int(sha256(text.encode()).hexdigest()[:8], 16)


def _f1(sums: Floats) -> Floats:
    return ratio()(np.stack([2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2]], axis=-1))


def _scores(recipe: Recipe, task: str, records: Sequence[Record]) -> dict[str, Any]:
    good = [record for record in records if record.score.status is Status.OK]
    values = [float(record.score.value or 0) for record in good]
    clusters = [record.sample.cluster for record in good]
    metrics = [mean("accuracy", values, clusters)]
    if task == "pope":
        truth = np.array([record.sample.target == "yes" for record in good])
        said = np.array([record.score.parsed_answer.startswith("yes") for record in good])
        items = np.stack([truth & said, ~truth & said, truth & ~said], axis=1).astype(np.float64)
        metrics.append(Metric("f1", items, clusters, _f1))
        metrics.append(mean("yes_ratio", [float(one) for one in said], clusters))
    for tag in list(dict.fromkeys(n for record in good for n in record.sample.tags)) if recipe.breakdowns else ():
        rows = [index for index, record in enumerate(good) if tag in record.sample.tags]
        labels = [good[index].sample.tags[tag] for index in rows]
        metrics += by_tag(tag, [values[i] for i in rows], labels, [clusters[i] for i in rows])
    entry: dict[str, Any] = {}
    for metric, estimate in zip(metrics, intervals(metrics), strict=True):
        bar = {"breakdown": metric.breakdown, "label": metric.label} if metric.breakdown else {}
        entry[metric.name] = {**estimate.to_json(), **bar}
    statuses = [str(record.score.status) for record in records]
    missing = 100 * (1 - len(good) / len(records))
    for bar in entry.values() if missing else ():
        if bar["value"] is not None:
            bar["bounds"] = [max(0.0, bar["value"] - missing), min(100.0, bar["value"] + missing)]
    return entry | {
        "coverage": len(good) / len(records),
        "statuses": {name: statuses.count(name) for name in sorted(set(statuses))},
        "headline": "f1" if task == "pope" else "accuracy",
        "protocol": "official",
        "split": "standard",
        "version": 1,
    }


def _write(folder: Path, recipe: Recipe, records: Sequence[Record], scores: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(record_columns(records)), folder / RECORDS)
    (folder / SCORES).write_bytes(to_json(scores))
    (folder / MANIFEST).write_bytes(to_json(_manifest(recipe, records, scores)))
    if recipe.judged:
        last = [record for record in records if record.task == recipe.tasks[-1]]
        pq.write_table(pa.table(_judgements(recipe, last)), folder / JUDGEMENTS)
    if recipe.training:
        (folder / "training_log.jsonl").write_bytes(training_log(recipe.seed))


def _judgements(recipe: Recipe, records: Sequence[Record]) -> dict[str, list[Any]]:
    """One verdict a record, as the store keeps them."""
    said = [
        HOSTILE[n % len(HOSTILE)] if recipe.hostile else "The answer fits the reference." for n in range(len(records))
    ]
    return {
        "task": [record.task for record in records],
        "sample_id": [record.sample.id for record in records],
        "run": [0] * len(records),
        "status": ["ok"] * len(records),
        "value": [record.score.value for record in records],
        "values": [[1.0]] * len(records),
        "note": said,
        "replies": [[words] for words in said],
        "judge_model": said if recipe.hostile else ["a judge"] * len(records),
    }


def training_log(seed: int = 0) -> bytes:
    """Two stages of a falling loss, with lines of other kinds and a last line that a kill cut short."""
    rng = np.random.default_rng(seed)
    lines = [b'{"stage": "connector", "note": "resumed"}']
    for stage, steps, start in (("connector", 800, 5.0), ("conversations", 2400, 2.2)):
        for step in range(0, steps, 4):
            loss = 0.2 + start * np.exp(-4 * step / steps) + 0.05 * rng.standard_normal()
            lines.append(to_json({"stage": stage, "step": step, "loss": float(loss), "lr": 1e-3}).replace(b"\n", b""))
    return b"\n".join([*lines, b'{"stage": "conversations", "st'])


def _manifest(recipe: Recipe, records: Sequence[Record], scores: dict[str, Any]) -> dict[str, Any]:
    titles = {
        "pope": "Object hallucination: is it in the picture? (Li et al. 2023)",
        "gqa": "Compositional questions about real scenes (Hudson & Manning 2019)",
    }
    tasks = {
        key: {
            "name": key,
            "title": titles.get(key, key),
            "version": 1,
            "split": scores[key]["split"],
            "protocol": "official",
            "protocol_source": "the benchmark's own repository",
            "protocol_note": "",
            "headline": scores[key]["headline"],
            "data": recipe.data,
            "samples": sum(r.task == key for r in records),
            "images": recipe.images,
            "prompt_example": next(r.request.prompt for r in records if r.task == key),
            "generation": {"max_new_tokens": 128, "stop": [], "temperature": 0.0},
            "hashes": {"samples": f"{recipe.seed:016x}", "prompts": f"{recipe.seed:016x}", "images": "0" * 16},
        }
        for key in scores
    }
    fingerprint = sha256(f"{recipe}".encode()).hexdigest()
    return {
        "format": 1,
        "vlmbench": "0.1.0",
        "identity": fingerprint[:16],
        "asked": {
            "model": recipe.name,
            "settings": {"engine": "shared", "dtype": "float32"},
            "tasks": list(scores),
            "data": recipe.data,
            "limit": None,
            "perturb": recipe.perturb,
            "seed": recipe.seed,
        },
        "command": ["/somewhere/bin/vlmbench", "run", "--model", recipe.name, "--tasks", ",".join(scores)],
        "started": "2026-01-01T12:00:00Z",
        "finished": "2026-01-01T12:02:41Z",
        "seed": recipe.seed,
        "data_folder": "",
        "model": {
            "name": recipe.name,
            "fingerprint": fingerprint,
            "settings": {"engine": "shared", "dtype": "float32"},
            "facts": {"parameters": 2_613_248, "visual_tokens": 36, "device": "cpu", "vision_tower": "siglip"},
        },
        "tasks": tasks,
        "code": {"commit": fingerprint[:40], "changed": False},
        "packages": {"python": "3.11.2", "torch": "2.13.0"},
        "hardware": {
            "machine": "x86_64",
            "processor": "Some Processor",
            "cores": 2,
            "memory_bytes": 8 << 30,
            "threads": 2,
        },
    }
