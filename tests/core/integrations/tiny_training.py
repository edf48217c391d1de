"""A transformers Trainer and a tiny LLaVA with dropout, for tests of what runs beside a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from tests.models.huggingface import tiny_hf

ROWS, WORDS = 8, 12


def model_and_processor() -> tuple[Any, Any]:
    """A tiny LLaVA whose attention drops weights out, so that its losses depend on random numbers."""
    model, processor = tiny_hf.build("llava")
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.3
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.3
    return model, processor


def rows() -> list[dict[str, Any]]:
    """Random pictures with random words behind them, as the model takes them."""
    drawn = torch.Generator().manual_seed(7)
    made = []
    for _ in range(ROWS):
        words = torch.randint(9, 200, (WORDS,), generator=drawn)
        ids = torch.cat([torch.tensor([1, 4, 4, 4, 4]), words])
        labels = torch.cat([torch.full((5,), -100), words])
        pixels = torch.randn(3, tiny_hf.SIDE, tiny_hf.SIDE, generator=drawn)
        made.append(
            {"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}
        )
    return made


def trainer(folder: Path, *, steps: int = 4, **settings: Any) -> Any:
    """A Trainer on the CPU; its loss is logged after each step."""
    torch.manual_seed(0)
    model, processor = model_and_processor()
    arguments = hf.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=2,
        learning_rate=1e-2,
        logging_steps=1,
        save_strategy=settings.pop("save_strategy", "no"),
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **settings,
    )
    made = rows()
    return hf.Trainer(
        model=model,
        args=arguments,
        train_dataset=made,
        eval_dataset=made[:2],
        processing_class=processor,
    )


def logged(trained: Any, name: str) -> list[float]:
    """The values of a name in the Trainer's log, in order."""
    return [line[name] for line in trained.state.log_history if name in line]
