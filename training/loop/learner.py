"""One stage's model: the module that accelerate prepares, parameter groups, train and eval modes, gradient norms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vlmbench.base.errors import TrainingError, VlmbenchError
from vlmbench.base.trainable import Trainable

from ..recipe import schedule
from ..recipe.recipe import Feed, Stage


class Objective(Protocol):
    """What a stage minimises."""

    heads: nn.ModuleDict

    def prepare(self, step: int) -> list[Mapping[str, Any]]:
        """This process's batches of a step."""

    def pairs(self, batches: list[Mapping[str, Any]]) -> list[tuple[Feed, Mapping[str, Any]]]:
        """Each batch with the feed it came from."""

    def loss(self, feed: Feed, batch: Mapping[str, Any]) -> Tensor:
        """A batch's share of the step's loss."""


class LossModule(nn.Module):
    """The network and what learns beside it, with the loss as forward pass: what DDP, FSDP and autocast wrap."""

    def __init__(self, model: Trainable, objective: Objective, processes: int = 1) -> None:
        super().__init__()
        self.network, self.heads = model.module, objective.heads
        self._objective, self._processes = objective, processes

    def forward(self, feed: Feed, batch: Mapping[str, Any]) -> Tensor:
        """The share of the step's loss. Gradients are averaged over processes, so each counts as many times."""
        return self._objective.loss(feed, batch) * self._processes


def prepare_stage(model: Trainable, stage: Stage, linear: str = "mkl", attention: str = "sdpa") -> Trainable:
    """The model as a stage needs it: config changed, adapters in, all else frozen. Fresh weights: torch's seed.
    `linear`: which library computes Linear layers.

    Raises TrainingError where the model cannot be so.
    """
    with config_errors(f"stage {stage.name!r}", "its config, tuning or quantize"):
        if stage.config:
            model = model.changed(stage.config)
        model.tune(
            stage.tunes,
            max_length=stage.max_length,
            checkpointing=stage.checkpointing,
            quantize=stage.quantize,
            linear=linear,
            attention=attention,
        )
    return model


@contextmanager
def config_errors(where: str, settings: str) -> Iterator[None]:
    """Whatever libraries raise over settings that no model can have, as a TrainingError that names the settings."""
    try:
        yield
    except (VlmbenchError, OSError):
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        message = f"no model can be made of {settings}: {type(error).__name__}: {reason:.200}"
        raise TrainingError(message, where=where) from error


def reinit_modules(model: Trainable, stage: Stage) -> None:
    """Draw the weights of the modules that the stage starts afresh, by their own rules, from torch's current seed.

    Raises TrainingError for a module that the model does not have.
    """
    for name in stage.anew:
        with config_errors(f"stage {stage.name!r}", f"anew {name!r}"):
            root = model.module.get_submodule(name)
        for module in root.modules():
            if isinstance(reset := getattr(module, "reset_parameters", None), object) and callable(reset):
                reset()


def set_dtypes(model: Trainable, device: torch.device, precision: str) -> None:
    """On a GPU: frozen weights in half precision where the recipe is, learning ones in float32."""
    model.module.to(device)
    if device.type == "cpu" or precision == "float32":
        return
    half = getattr(torch, precision)
    for parameter in model.module.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(torch.float32 if parameter.requires_grad else half)


def set_train_modes(parts: Mapping[str, nn.Module], stage: Stage) -> None:
    """Parts that learn in train mode, the others in eval mode, as the official MiniGPT code disables train mode of
    tower and Q-Former; inside tower and connector, frozen modules are in eval mode too.
    """
    for name, part in parts.items():
        part.train(name in (*stage.learns, *stage.awake, "heads"))
        if name in ("vision_tower", "connector") and name not in stage.awake:
            _eval_frozen(part)


def _eval_frozen(module: nn.Module) -> None:
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        module.eval()
        return
    for child in module.children():
        _eval_frozen(child)


def parameter_groups(model: Trainable, stage: Stage, heads: nn.Module) -> list[dict[str, Any]]:
    """What learns, as AdamW takes it: a group for each highest learning rate (`peak`) with and without decay.

    Decay is for matrices alone, and for embedding tables only where the stage says so.
    """
    tables = {id(layer.weight) for layer in model.module.modules() if isinstance(layer, nn.Embedding)}
    by_rate: dict[tuple[float, bool, bool], list[nn.Parameter]] = {}
    peak = stage.rates.peak if stage.rates else stage.lr
    for name, parameter in _learning(model, heads):
        decays = parameter.ndim > 1 if name.startswith("heads.") else model.decays(name)
        decays = decays and (stage.decay_tables or id(parameter) not in tables)
        turned = stage.muon > 0 and parameter.ndim == 2 and id(parameter) not in tables and name[:6] != "heads."
        rate = stage.muon if turned else stage.lrs.get(name.partition(".")[0], peak)
        by_rate.setdefault((rate, decays, turned), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": stage.weight_decay if decays else 0.0, "lr": rate, "peak": rate}
        | ({"orthogonal": True} if turned else {})
        for (rate, decays, turned), parameters in sorted(by_rate.items(), key=lambda item: not item[0][1])
    ]


def _learning(model: Trainable, heads: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    for name, parameter in model.module.named_parameters():
        if parameter.requires_grad:
            yield name, parameter
    for name, parameter in heads.named_parameters():
        yield f"heads.{name}", parameter


def learning_rate_share(stage: Stage, steps: int, step: int) -> float:
    """The learning rate of a step as a share of the highest."""
    if stage.rates:
        return stage.rates.rate(*divmod(step, stage.rates.steps_per_epoch)) / stage.rates.peak
    return schedule.factor(stage.schedule, step, steps, stage.warmup)


def grad_norms(parts: Mapping[str, nn.Module]) -> dict[str, float]:
    """The gradient's norm in each part that has one."""
    by_part = {}
    for name, part in parts.items():
        grads = [parameter.grad for parameter in part.parameters() if parameter.grad is not None]
        if grads:
            by_part[name] = float(torch.nn.utils.get_total_norm(grads))
    return by_part
