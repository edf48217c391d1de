"""Our training loop beside TinyLLaVA Factory's own, on the same weights, rows and batches: tokens a CPU second.

    python -m tests.performance.trainer_speed CHECKOUT PYTHON [--size small|nano] [--rounds 3] [--steps 22] [--batch 4]

CHECKOUT is TinyLLaVA_Factory@53f12c7, PYTHON an interpreter whose environment runs it. Both train in processes of their
own, one thread each, in turns; a step's seconds are CPU seconds from its beginning to the next one's, reading of rows
and pictures included. Our rows come in Factory's grouped order; Factory is given the rows in that order.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from vlmbench.models.parts.vision.preprocess import default_processor
from vlmbench.models.systems import tinyllava
from vlmbench.scenes import captions as scene_text
from vlmbench.scenes.scene import TRAIN_SEEDS, Dice, draw, make_scene
from vlmbench.training.loop.loop import train
from vlmbench.training.loop.state import LOG
from vlmbench.training.recipe.recipe import Pool, Recipe, Stage
from vlmbench.training.recipes import tinyllava as recipes
from vlmbench.training.scenes.feature_pool import PoolObjective

WARM = 2
"""Steps that are not timed: the first ones fill allocators and caches."""
COMPARED = 20
"""Losses that are compared."""
EDGE = 336
"""Of the drawn pictures, in pixels."""
LANGUAGE, TOWER, START = "tiny-phi", "tiny-siglip", "start"
STAGES = ("pretrain", "finetune")


def _config(vision: Mapping[str, Any], text: Mapping[str, Any]) -> dict[str, Any]:
    common = {"bos_token_id": 0, "eos_token_id": 0, "max_position_embeddings": 2048, "partial_rotary_factor": 0.5}
    return {
        "connector_type": "mlp2x_gelu",
        "conv_version": "phi",
        "image_aspect_ratio": "square",
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "patch",
        "tokenizer_model_max_length": 2048,
        "vision_config": {"model_type": "siglip_vision_model", **vision},
        # Dropout off: two programs do not draw the same chances.
        "text_config": {"model_type": "phi", "resid_pdrop": 0.0, "tie_word_embeddings": False, **common, **text},
    }


def _shape(width: int, layers: int, heads: int) -> dict[str, int]:
    told = {"hidden_size": width, "intermediate_size": 4 * width}
    return {**told, "num_hidden_layers": layers, "num_attention_heads": heads}


SIZES = {
    "small": _config(
        {**_shape(384, 8, 6), "image_size": 224, "patch_size": 14}, {**_shape(384, 8, 6), "vocab_size": 2048}
    ),
    "nano": _config(
        {**_shape(128, 4, 4), "image_size": 96, "patch_size": 16}, {**_shape(160, 4, 4), "vocab_size": 640}
    ),
}
"""`small`: a tower and a language model of 16M and 16M parameters, 255 visual tokens; the share of the vocabulary is
Phi-2's. `nano`: what ships, 35 visual tokens.
"""


@dataclass(frozen=True)
class Side:
    """One program in one way of running."""

    name: str
    cache: str = ""
    """Ours: the folder of kept features."""
    fresh: bool = False
    """Whether that folder is emptied first."""
    theirs: bool = False


SIDES = (
    Side("Factory", theirs=True),
    Side("ours, nothing kept"),
    Side("ours, features kept, first epoch", "features", fresh=True),
    Side("ours, features kept, later epochs", "features"),
)


@dataclass(frozen=True)
class Bench:
    """A folder with rows, pictures and starting weights, and the two programs that learn from them."""

    folder: Path
    checkout: Path
    python: str
    size: str
    steps: int
    batch: int
    attention: str = "sdpa"
    """Factory's."""

    def prepare(self) -> None:
        """Draw the data, make the weights, and lay out Factory's folders beside."""
        files = Path(str(tinyllava.NANO))
        model = tinyllava.build(SIZES[self.size], preprocessor=None, tokenizer=files)
        model.save(self.folder / START)
        _lay_out_parts(self.folder, files)
        rows = list(drawn(self.folder / "pictures", self.steps * self.batch))
        for name, kind in zip(STAGES, rows_of(rows), strict=True):
            (self.folder / f"{name}.json").write_text(json.dumps(kind), encoding="utf-8")
            objective = PoolObjective(model, self.recipe(name, "").stages[0], self.recipe(name, ""))
            moments = (objective._mixture.draw(moment) for moment in range(self.steps))
            ordered = [kind[at] for draw in moments for at, _ in draw.places]
            (self.folder / f"{name}-ordered.json").write_text(json.dumps(ordered), encoding="utf-8")

    def recipe(self, name: str, cache: str) -> Recipe:
        """Factory's own recipe, one stage, with this batch and on these rows."""
        whole = recipes.base().only(name, str(self.folder / START))
        pool = Pool("rows", "llava", f"{name}.json", "pictures")
        stage: Stage = replace(
            whole.stages[0], pools=(pool,), batch=self.batch, per_device=self.batch, checkpointing=False
        )
        told = {"data": str(self.folder), "precision": "float32", "log_every": 1, "save_every": 10**6, "workers": 0}
        kept = str(self.folder / cache) if cache else ""
        return replace(whole, stages=(stage,), threads=1, cache=kept, **told)  # type: ignore[arg-type]

    def run(self, side: Side, name: str) -> dict[str, Any]:
        """One training of a stage, in a process of its own: losses, tokens and CPU seconds of each step."""
        if side.fresh:
            shutil.rmtree(self.folder / side.cache, ignore_errors=True)
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        command = self._theirs(name, result) if side.theirs else self._ours(side, name, result)
        done = subprocess.run(
            command,
            cwd=self.folder if side.theirs else None,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if not result.is_file():
            sys.exit(f"{side.name}, {name}: {done.stdout[-3000:]}\n{done.stderr[-6000:]}")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found

    def _ours(self, side: Side, name: str, result: Path) -> list[str]:
        recipe = result.with_name("recipe.json")
        told = {"size": self.size, "steps": self.steps, "batch": self.batch, "name": name, "cache": side.cache}
        recipe.write_text(json.dumps({"folder": str(self.folder), **told}), encoding="utf-8")
        return [sys.executable, "-m", "tests.performance.trainer_speed", "--ours", str(recipe), str(result)]

    def _theirs(self, name: str, result: Path) -> list[str]:
        """Arguments as scripts/train/{pretrain,finetune}.sh give them, but for the GPU's and the batch."""
        stage = self.recipe(name, "").stages[0]
        script = Path(__file__).with_name("factory_trainer.py")
        told = {
            "data_path": self.folder / f"{name}-ordered.json",
            "image_folder": self.folder / "pictures",
            "is_multimodal": True,
            "conv_version": stage.template or "phi",
            "model_name_or_path": LANGUAGE,
            "vision_tower": TOWER,
            "connector_type": "mlp2x_gelu",
            "mm_vision_select_layer": -2,
            "image_aspect_ratio": "square",
            "attn_implementation": self.attention,
            "fp16": False,
            "use_cpu": True,
            "training_recipe": "common",
            "tune_type_llm": stage.tunes.get("language_model", "frozen"),
            "tune_type_vision_tower": "frozen",
            "tune_type_connector": "full",
            "output_dir": self.folder / "theirs",
            "num_train_epochs": 1,
            "per_device_train_batch_size": self.batch,
            "learning_rate": stage.lr,
            "weight_decay": 0.0,
            "warmup_ratio": stage.warmup,
            "lr_scheduler_type": "cosine",
            "save_strategy": "no",
            "logging_steps": 1,
            "model_max_length": stage.max_length,
            "gradient_checkpointing": False,
            "dataloader_num_workers": 0,
            "report_to": "none",
        }
        flags = [text for key, value in told.items() for text in (f"--{key}", str(value))]
        return [self.python, str(script), str(self.checkout), str(self.folder / START), str(result), *flags]


def drawn(folder: Path, rows: int) -> Iterable[tuple[str, Any]]:
    """Scenes and the names of their pictures."""
    folder.mkdir(parents=True)
    for seed in TRAIN_SEEDS[:rows]:
        scene = make_scene(seed)
        draw(scene).resize((EDGE, EDGE)).save(folder / f"{seed}.jpg", quality=90)
        yield f"{seed}.jpg", scene


def rows_of(scenes: Iterable[tuple[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Captions; and dialogues of one to six turns, each twelfth without a picture."""
    captions, dialogues = [], []
    for at, (name, scene) in enumerate(scenes):
        dice = Dice(at)
        told = (scene_text.DESCRIBE, scene_text.caption(scene))
        captions.append(scene_text.llava_row(f"c{at}", name, [told]))
        turns = [*([told] if dice.chance(50) else []), *scene_text.short_turns(scene, dice, 1 + dice.below(5), 1)]
        row = scene_text.llava_row(f"d{at}", name, turns)
        if at % 12 == 11:
            del row["image"]
            row["conversations"][0]["value"] = row["conversations"][0]["value"].removeprefix("<image>\n")
        dialogues.append(row)
    return captions, dialogues


def _lay_out_parts(folder: Path, tokenizer: Path) -> None:
    """The language model and the tower as folders of their own, as Factory is told them by name."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / START / "model.safetensors")
    config = json.loads((folder / START / "config.json").read_text(encoding="utf-8"))
    parts = (
        (LANGUAGE, "language_model.", "text_config", "PhiForCausalLM"),
        (TOWER, "vision_tower._vision_tower.", "vision_config", "SiglipVisionModel"),
    )
    for name, prefix, key, kind in parts:
        (folder / name).mkdir()
        own = {word.removeprefix(prefix): tensor for word, tensor in weights.items() if word.startswith(prefix)}
        save_file(own, folder / name / "model.safetensors", metadata={"format": "pt"})
        text = json.dumps({**config[key], "architectures": [kind]})
        (folder / name / "config.json").write_text(text, encoding="utf-8")
    for file in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / file, folder / LANGUAGE / file)
    prepared = {"image_processor_type": "SiglipImageProcessor", **default_processor(config["vision_config"])}
    (folder / TOWER / "preprocessor_config.json").write_text(json.dumps(prepared), encoding="utf-8")


def ours(told: Mapping[str, Any], result: Path) -> None:
    """Our half: train a stage, and read its log."""
    bench = Bench(Path(told["folder"]), Path(), "", told["size"], told["steps"], told["batch"])
    with tempfile.TemporaryDirectory() as folder:
        train(bench.recipe(told["name"], told["cache"]), Path(folder) / "run")
        lines = [json.loads(line) for line in (Path(folder) / "run" / LOG).read_text(encoding="utf-8").splitlines()]
    steps = [line for line in lines if "loss" in line]
    columns = {"losses": "loss", "tokens": "tokens", "seconds": "cpu_seconds"}
    found = {name: [line[key] for line in steps] for name, key in columns.items()}
    result.write_text(json.dumps(found), encoding="utf-8")


def rate(found: Mapping[str, Any]) -> float:
    """Tokens a CPU second over the timed steps; the last one has no next step to end it on Factory's side."""
    return float(sum(found["tokens"][WARM:-1]) / sum(found["seconds"][WARM:-1]))


def compare(bench: Bench, name: str, rounds: int) -> None:
    """All sides in turns, and their losses beside each other."""
    rates: dict[str, list[float]] = {side.name: [] for side in SIDES}
    first: dict[str, Mapping[str, Any]] = {}
    for turn in range(rounds):
        for side in SIDES:
            found = bench.run(side, name)
            first.setdefault(side.name, found)
            rates[side.name].append(rate(found))
            print(f"  round {turn + 1}, {side.name}: {rates[side.name][-1]:.0f} tokens a CPU second", flush=True)
    theirs = first[SIDES[0].name]
    print(
        f"\n{bench.size}, {name}: {len(theirs['losses'])} steps of {bench.batch} rows, {sum(theirs['tokens'])} tokens"
    )
    print("| | tokens a CPU second | ratio to Factory | largest difference of a loss |")
    print("|---|---|---|---|")
    for side in SIDES:
        assert first[side.name]["tokens"] == theirs["tokens"], side.name
        ratios = sorted(mine / other for mine, other in zip(rates[side.name], rates[SIDES[0].name], strict=True))
        pairs = zip(first[side.name]["losses"][:COMPARED], theirs["losses"][:COMPARED], strict=True)
        apart = max(abs(mine - other) for mine, other in pairs)
        spread = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"| {side.name} | {median(rates[side.name]):,.0f} | {spread} | {apart:.1e} |")
    print(f"losses of {SIDES[0].name}: {' '.join(f'{loss:.4f}' for loss in theirs['losses'][:COMPARED])}")
    last = first[SIDES[-1].name]["losses"]
    print(f"losses of {SIDES[-1].name}: {' '.join(f'{loss:.4f}' for loss in last[:COMPARED])}\n", flush=True)


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--ours"]:
        ours(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("python")
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=22)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--attention", choices=("sdpa", "eager"), default="sdpa", help="Factory's")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shape = told.size, told.steps, told.batch, told.attention
        bench = Bench(Path(folder), told.checkout.resolve(), told.python, *shape)
        bench.prepare()
        for name in told.stages:
            compare(bench, name, told.rounds)


if __name__ == "__main__":
    main()
