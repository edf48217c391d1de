"""Small students with and without a teacher: equal size, rows and steps, three seeds each, compared over seeds.

    python -m examples.distil_study DIR      (about 2 hours of one core; finished parts are not repeated)

Students have half the width and half the layers of the included TinyLLaVA's language model and its vision tower, which
rests. All read the same rows; the taught ones learn from the included TinyLLaVA's probabilities, or from its answers.
Writes DIR/study.md: what `vlmbench compare` says of each pair of recipes, whose intervals are over questions and seeds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench.cli.main import main as vlmbench
from vlmbench.training.distil.student import distilled
from vlmbench.training.loop.loop import train
from vlmbench.training.recipe.recipe import Feed, Init, Recipe, Stage
from vlmbench.training.recipes.nano import CONFIG

TEACHER = "tinyllava"
TASKS = "vqav2,okvqa,vsr,gqa,mme,vizwiz,pope"
TAUGHT = {
    "logits": {"distil.kind": "logits"},
    "answers": {"distil.kind": "answers", "bad_rows": "0.1"},
}
"""Kinds of distillation; `plain` is the student without a teacher."""


def student(share: float) -> Recipe:
    """Its language model learns its words first, then to look at pictures. `share`: of all steps."""
    text = {**CONFIG["text_config"], "hidden_size": 80, "intermediate_size": 320, "num_hidden_layers": 2}
    shared: dict[str, Any] = {"warmup": 0.03, "betas": (0.9, 0.98), "things": ((0.0, 2, 6),)}
    words = Feed("list", rows=48, template="pretrain", see="words")
    spoken = Feed("short", rows=16, turns=12, see="words")
    captions = (Feed("caption", rows=12, template="pretrain"), Feed("match", rows=48, template="pretrain", weight=2.0))
    asked = (Feed("short", rows=12, turns=12), Feed("describe", rows=4, turns=3))
    stages = (
        Stage("list", ("language_model",), (words,), _steps(800, share), 1e-3, **shared),
        Stage("answer", ("language_model",), (words, spoken), _steps(800, share), 1e-3, **shared),
        Stage("pretrain", ("connector",), captions, _steps(400, share), 3e-3, **shared),
        Stage(
            "finetune",
            ("language_model", "connector"),
            asked,
            _steps(2000, share),
            1e-3,
            repeat=_steps(500, share),
            **shared,
        ),
    )
    return Recipe(
        name="study",
        about="half the width and layers of the small TinyLLaVA's language model, on its tower",
        stages=stages,
        config={**CONFIG, "text_config": text, "hidden_size": 80},
        parts={"vision_tower": TEACHER},
        tokenizer=TEACHER,
        init=Init(embeddings=0.1, linear=0.08, alike=0.04),
        threads=1,
        workers=0,
    )


def _steps(steps: int, share: float) -> int:
    return max(2, round(steps * share))


def run(name: str, seed: int, share: float, folder: Path, asked: list[str]) -> Path:
    """Train a student and ask it; `asked`: arguments of `vlmbench run`. Returns the run's folder."""
    place = folder / f"{name}-{seed}"
    recipe = replace(student(share), seed=seed)
    if name in TAUGHT:
        recipe = distilled(recipe, TEACHER).replace(TAUGHT[name])
    if not (place / "model").is_dir():
        train(recipe, place)
    words = ["run", "--model", f"tinyllava:{place / 'model'}", "--output", str(place / "run")]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = vlmbench([*words, *asked])
    if code:
        sys.exit(code)
    return place / "run"


def main() -> None:
    """All trainings, then all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of all steps: a small one to try it out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--limit", type=int, help="questions per task")
    told = parser.parse_args()
    asked = ["--tasks", told.tasks, *(["--limit", str(told.limit)] if told.limit else [])]
    names = ("plain", *TAUGHT)
    runs: dict[str, list[Path]] = {name: [] for name in names}
    for seed in range(told.seeds):
        for name in names:
            runs[name].append(run(name, seed, told.share, told.folder, asked))
            print(f"{name}, seed {seed}: {runs[name][-1]}", flush=True)
    parts = []
    for name in TAUGHT:
        groups = [f"{one}={','.join(map(str, runs[one]))}" for one in ("plain", name)]
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = vlmbench(["compare", *groups])
        if code:
            sys.exit(code)
        parts.append(f"## {name}\n\n```text\n{said.getvalue()}```\n")
    (told.folder / "study.md").write_text("\n".join(parts), encoding="utf-8")
    print("\n".join(parts))


if __name__ == "__main__":
    main()
