"""From the model that a training loop holds to the network that answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any

from vlmbench.base.errors import ModelError


def unwrapped(model: Any) -> Any:
    """The network inside DataParallel, DistributedDataParallel, torch.compile, DeepSpeed's engine and PEFT's models.

    Adapters stay in it. Raises ModelError where PEFT changes prompts.
    """
    from torch import nn

    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(model, parallel) or type(model).__name__ == "DeepSpeedEngine":
            model = model.module
        elif "_orig_mod" in getattr(model, "_modules", {}):  # torch.compile
            model = model._orig_mod
        elif (peft := sys.modules.get("peft")) is not None and isinstance(model, peft.PeftModel):
            if model.active_peft_config.is_prompt_learning:
                kind = model.active_peft_config.peft_type
                hint = "give a class adapter around the wrapped model: adapter=..."
                raise ModelError(f"{getattr(kind, 'value', kind)} of PEFT lives outside the network", hint=hint)
            model = model.get_base_model()
        else:
            return model


def all_weights(network: Any) -> dict[str, Any] | None:
    """The weights of a network that is divided among processes (fully_shard, tensor parallelism), whole, on process 0.

    None for a network that is whole; empty on the other processes. Every process has to call it. Raises ModelError for
    ways of dividing that are not understood.
    """
    if not hasattr(network, "named_parameters") or not _divided(network):
        return None
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return dict(get_model_state_dict(network, options=StateDictOptions(full_state_dict=True, cpu_offload=True)))


def _divided(network: Any) -> bool:
    found = False
    for name, parameter in network.named_parameters():
        zero = hasattr(parameter, "ds_id")
        if zero or type(parameter).__name__ == "FlatParameter":
            how = "DeepSpeed ZeRO-3" if zero else "the first version of FSDP"
            hint = "train with fully_shard (FSDP 2) or DistributedDataParallel, or evaluate the checkpoints it saves"
            raise ModelError(f"{name}: the weights are divided among processes by {how}", hint=hint)
        found = found or type(parameter).__name__ == "DTensor" or type(parameter.data).__name__ == "DTensor"
    return found


def rebuilt(network: Any, weights: dict[str, Any], build: Callable[[], Any] | None) -> Any:
    """A whole copy of a divided network, on its device. `build` makes an empty one; else its class does, of its config.

    Raises ModelError where neither can.
    """
    if build is None:
        config = getattr(network, "config", None)
        if config is None:
            hint = "give build=, a function that makes an empty network of this kind"
            raise ModelError(f"{type(network).__name__} is divided among processes, and has no config", hint=hint)
        kind = next(one for one in type(network).__mro__ if "FSDP" not in one.__name__)
        copy = kind(deepcopy(config))
        if getattr(network, "generation_config", None) is not None:
            copy.generation_config = deepcopy(network.generation_config)
    else:
        copy = build()
    copy.load_state_dict(weights, assign=True)
    return copy.to(next(network.parameters()).device)


@contextmanager
def plain(network: Any) -> Iterator[None]:
    """Inside, a network computes in its own number type and as it is written: no autocast, no compiled forward.

    Accelerate puts autocast around `forward`, Module.compile a compiled call; inference mode would leave tensors that
    training cannot use. To be used where the network's attributes are put back afterwards.
    """
    import torch

    for module in network.modules() if isinstance(network, torch.nn.Module) else ():
        held = vars(module)
        if held.get("_compiled_call_impl") is not None:
            held["_compiled_call_impl"] = None
        if "_original_forward" in held:
            held["forward"] = held["_original_forward"]
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
            stack.enter_context(torch.autocast(device, enabled=False))
        yield
