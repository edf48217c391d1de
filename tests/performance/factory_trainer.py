"""The other half of trainer_speed.py: runs TinyLLaVA Factory's own `train()` on a CPU, in Factory's own environment.

    python factory_trainer.py CHECKOUT START RESULT [Factory's arguments...]

START is a Factory checkpoint whose weights the training starts from, RESULT the file for loss, tokens and CPU seconds
of each step. The model, the data module and the trainer are Factory's. Told from outside: rows come in the file's
order; and what its imports ask for but a CPU does not need (DeepSpeed, a process group of one) is there in name.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import tempfile
import time
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import torch

IMAGE_TOKEN = -200
STANDINS = {
    "deepspeed": ("zero",),
    "deepspeed.runtime.zero.partition_parameters": ("ZeroParamStatus",),
    "bitsandbytes": (),
}
"""Modules that Factory imports and a training on a CPU never calls, with the names it takes from them."""


def stand_in() -> None:
    """Let Factory be imported without what it does not use here. Real packages come first."""
    for name, held in STANDINS.items():
        try:
            importlib.import_module(name)
        except ImportError:
            module = types.ModuleType(name)
            module.__spec__ = ModuleSpec(name, None)
            for one in held:
                setattr(module, one, None)
            sys.modules[name] = module


def hashable_templates() -> None:
    """Factory's templates have dataclasses as defaults, which Python 3.11 wants to be hashable."""
    plain: Any = dataclasses.dataclass

    def made(cls: Any = None, /, **told: Any) -> Any:
        def one(found: Any) -> Any:
            ours = found.__module__.startswith("tinyllava.data.template")
            return plain(found, **{**told, **({"unsafe_hash": True} if ours else {})})

        return one if cls is None else one(cls)

    vars(dataclasses)["dataclass"] = made


class Watched:
    """Factory's trainer with a stopwatch: a step lasts from its beginning to the next one's."""

    def __init__(self, trainer: Any, start: Path) -> None:
        self.losses: list[Any] = []
        self.tokens: list[int] = []
        self.moments: list[float] = []
        self._start, self._train, self._step = start, trainer.train, trainer.training_step
        trainer.train = lambda found, *told: self.train(found, *told)
        trainer.training_step = lambda found, *told: self.step(found, *told)
        trainer._get_train_sampler = lambda found: torch.utils.data.SequentialSampler(found.train_dataset)

    def train(self, trainer: Any, *told: Any) -> Any:
        """From the given weights."""
        from safetensors.torch import load_file

        model = trainer.model
        wrong = model.load_state_dict(load_file(self._start / "model.safetensors"), strict=False)
        assert not wrong.unexpected_keys, wrong
        # The language model and the pooling head, which no feature comes from, may lack; tied tables are one.
        assert all("vision_model.head" in name or "post_layernorm" in name for name in wrong.missing_keys), wrong
        shape = model.config.vision_config
        self.visual = (shape.image_size // shape.patch_size) ** 2
        self.visual -= model.config.vision_feature_select_strategy == "patch"
        found = self._train(trainer, *told)
        self.moments.append(time.process_time())
        return found

    def step(self, trainer: Any, model: Any, inputs: Any) -> Any:
        """One batch; gradients are not accumulated here."""
        self.moments.append(time.process_time())
        pictures = int((inputs["input_ids"] == IMAGE_TOKEN).sum())
        self.tokens.append(int(inputs["attention_mask"].sum()) + pictures * (self.visual - 1))
        loss = self._step(trainer, model, inputs)
        self.losses.append(loss)
        return loss


def main() -> None:
    """Train, and write what was seen."""
    checkout, start, result = (Path(text) for text in sys.argv[1:4])
    torch.set_num_threads(1)
    import transformers

    stand_in()
    hashable_templates()
    sys.path.insert(0, str(checkout))
    with tempfile.TemporaryDirectory() as folder:
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=0, world_size=1)
        factory = importlib.import_module("tinyllava.train.train")
        watched = Watched(factory.LLaVATrainer, start)
        sys.argv = ["train.py", *sys.argv[4:]]
        factory.train()
    seconds = [later - at for at, later in zip(watched.moments, watched.moments[1:], strict=False)]
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    told = {"losses": [float(loss) for loss in watched.losses], "tokens": watched.tokens, "seconds": seconds}
    result.write_text(json.dumps({**told, "versions": versions}), encoding="utf-8")


if __name__ == "__main__":
    main()
