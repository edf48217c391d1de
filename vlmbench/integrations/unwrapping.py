"""From the model that a training loop holds to the network that answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from vlmbench.base.errors import ModelError


def unwrapped(model: Any) -> Any:
    """The network inside DataParallel, DistributedDataParallel, torch.compile, DeepSpeed's engine and PEFT's models.

    Adapters stay in it. Raises ModelError where the weights are divided among processes, or PEFT changes prompts.
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
            break
    if isinstance(model, nn.Module):
        refuse_divided(model)
    return model


def refuse_divided(model: Any) -> None:
    """Raise ModelError for a network of which this process has only a part of the weights."""
    for name, parameter in model.named_parameters():
        divided = type(parameter).__name__ in ("DTensor", "FlatParameter") or type(parameter.data).__name__ == "DTensor"
        if divided or hasattr(parameter, "ds_id"):
            how = "DeepSpeed ZeRO-3" if hasattr(parameter, "ds_id") else "FSDP or tensor parallelism"
            hint = "evaluate the checkpoints that it saves, or train with DistributedDataParallel"
            raise ModelError(f"{name}: the weights are divided among processes by {how}", hint=hint)


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
