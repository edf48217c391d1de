"""docs/evaluate/robustness.md: attacks and languages as the code defines them, and their effect on the included models.

`python -m docs.printing.robustness_pages RUNS...` copies the figures of runs of COMMANDS to
docs/printing/robustness.json. `make docs` prints the page from it and runs no model.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from docs.printing.markdown import code, table
from docs.printing.perturbation_pages import HEADS, figure_rows, figures_of
from vlmbench.base import registry
from vlmbench.base.registry import choose_task
from vlmbench.base.task import translated_split
from vlmbench.data.files import Folder
from vlmbench.perturbations import pgd, typographic
from vlmbench.perturbations.languages import NAMES
from vlmbench.scenes.languages.wordings import read

FIGURES = Path(__file__).resolve().parent / "robustness.json"
LANGUAGES = ",".join(f"language:{code}" for code in NAMES)
COMMANDS = {
    model: f"vlmbench run --model {model} --tasks pope,gqa --limit {limit} --perturb {attacks},{LANGUAGES}"
    for model, limit, attacks in (
        ("tinyllava", 120, "pgd:eps=1/255,pgd:eps=2/255,pgd:eps=4/255,pgd,typographic,typographic-control"),
        ("tinygptv", 180, "pgd:eps=2/255+steps=5,pgd:steps=5,typographic,typographic-control"),
    )
}
"""By included model."""

TEXT = """# Robustness: attacked images, misleading words, other languages

{printed}

These [perturbations](perturbations.md) are made to be hard. They run, resume, pair and report like all others, and the
Perturbations page of `vlmbench report` shows a few images before and after, with the difference amplified:

```bash
vlmbench run --model tinyllava --tasks pope --limit 24 --perturb pgd:eps=2/255+steps=5,typographic,language:de
```

## Adversarial images: `pgd`

Projected gradient descent (Madry et al. 2018, [arXiv 1706.06083](https://arxiv.org/abs/1706.06083)) on the model's own
loss: the mean cross-entropy of the right answer's tokens behind the prompt that the model is asked, without an end
token. Each question gets its own image. Options are joined by `+`, as in `pgd:eps=4/255+steps=20`:

{options}

- The attack works on the **pixels of the original image**, through resizing and normalization, which are differentiable
  here. It starts at a random place within eps. Pixels are floats meanwhile, kept within eps and 0..255 after each step.
- **8 bits come last.** At the end each value is rounded to a whole level within eps, and the model is asked about that
  image. The rounding is not part of the gradient, so an attack that knew of it might do a little better. An eps between
  0 and 1/255 is refused, because no 8-bit image lies within it; `eps=0` asks about the images as they are, and is the
  unperturbed run bit for bit.
- **The right answer reaches the attack alone**, as `answer` of `image_loss`
  ([decision 0062](../decisions/0062-attacks.md)). What the model answers is an ordinary request with another image.
- **Which models**: the included systems, in this process and with whole weights. Others are refused before anything is
  asked: servers, transformers models (`hf`), `--workers`, `--quantize`, `--linear onednn`. Few-shot examples too.
- **It reproduces** by seed, weights, settings, question and image, not by order or `--limit`. Attacked images are kept
  in the cache (`~/.cache/vlmbench/attacked`), so an interrupted run goes on; their content is in every key.
  Another kind of device, or another number of threads, adds numbers up in another order, and may turn the sign of a
  gradient near 0: compare attacks made on one machine.
- Each step of each start is a pass through the network, forward and back, for each question.
- A white-box attack measures the worst case near an image. An attack that fails proves nothing: more steps, restarts or
  another attack may succeed.

## Misleading words: `typographic`

A wrong answer is written into the image on a board: another option's text, or the right answer to another question that
opens with the same words, if the benchmark's own rules score it 0. It is never the right answer. Place, size and
contrast are drawn by seed and question; severities 1 to 5 are letters of {heights} of the shorter side.

`typographic-control` draws **the same board at the same place** with a word that answers nothing (`THE`, `WITH`, ...).
A board also hides a part of the image; the difference between the two runs is that of the text alone:

```bash
vlmbench run --model tinyllava --tasks pope --limit 24 --perturb typographic,typographic-control --output runs/words
vlmbench compare runs/words/perturbations/typographic-control-3 runs/words/perturbations/typographic-3
```

Letters are drawn here (A to Z, figures, some marks), so the images are the same on every machine; answers in other
scripts, or too long for the image, are skipped. The first image of a question is written on.

## Other languages: `language:CODE`

{languages}

- **A split of its own** (MMBench): the benchmark's questions and options in that language, paired by id. Both splits
  must be there.
- **Drawn scenes**: the embedded samples are asked in sentences written for each of the {wordings} kinds of questions,
  with agreement in gender and case. They end with a request to answer in English, because the right answers are in
  English. Nothing is translated by a machine, and a question that is not known word for word is skipped, with the
  reason.
- A task of which no question is written in the language is refused by name.

| embedded sample | questions in all four languages |
|---|---|
{coverage}

`mmbench` has all its questions in Chinese (`language:zh`).

## The included models
On the embedded samples (which show that everything works, and are not comparable with papers). These are a few images
each, so intervals are wide or missing and a corrected p cannot be small: without `--limit` they are narrower. Both
models were trained on English alone; in other languages they guess. The control costs about as much as the misleading
word, so what `typographic` costs these models is the board, not the text.

{models}
"""

OPTIONS = {
    "eps": "largest change of a value, as a share of white: a fraction or a number from 0 to 1",
    "steps": "steps of each start",
    "step": "length of a step, as a share of white",
    "restarts": "random starts; the one with the highest loss counts, measured on the 8-bit image",
    "norm": "`linf`: each value changes by eps at most; `l2`: the root mean square of an image's changes does",
    "target": "`wrong`: lower the loss of a wrong answer (drawn as for `typographic`) instead",
}


def page(printed: str) -> str:
    """The page."""
    figures = orjson.loads(FIGURES.read_bytes()) if FIGURES.is_file() else {}
    default = pgd.Attack()
    options = [(code(name), what, str(getattr(default, name) or "2.5 · eps / steps")) for name, what in OPTIONS.items()]
    return TEXT.format(
        printed=printed,
        options="\n".join(table(("option", "what it says", "default"), options)),
        heights=", ".join(f"{height:g}" for height in typographic.HEIGHTS),
        languages="\n".join(table(("code", "language"), [(code(name), language) for name, language in NAMES.items()])),
        wordings=len(_wordings()),
        coverage="\n".join(f"| {code(name)} | {known:,} of {count:,} |" for name, known, count in _coverage()),
        models="\n".join(map(_model, figures.values())).rstrip(),
    )


def _wordings() -> Any:
    from vlmbench.scenes.languages.wordings import WORDINGS

    return WORDINGS


def _coverage() -> Iterator[tuple[str, int, int]]:
    """Tasks with questions that are written in every language."""
    for name in registry.tasks.builtin:
        choice = choose_task(name)
        samples = choice.task.samples(Folder.sample(name), choice.split)
        known = sum(read(sample.question) is not None for sample in samples)
        if known:
            yield name, known, len(samples)
        assert known or not any(translated_split(choice.task, choice.split, one) for one in NAMES), name


def _model(figures: dict[str, Any]) -> str:
    rows = "\n".join(table(HEADS, figure_rows(figures)))
    return f"```bash\n{figures['command']}    # takes minutes: attacks go through the network\n```\n\n{rows}\n"


if __name__ == "__main__":
    taken = [entry for run in sys.argv[1:] for entry in figures_of(Path(run), COMMANDS).items()]
    FIGURES.write_bytes(orjson.dumps(dict(taken), option=orjson.OPT_INDENT_2) + b"\n")
